"""The report's page and text, as jinja2 templates."""

from __future__ import annotations

__all__ = ["HEADLINE", "PAGE"]

HEADLINE = """\
{{ run_name }}: {{ n_labelled }} galaxies with votes, {{ n_unlabelled }} without, \
{{ n_rejected }} rows rejected

Test loss   {{ overall.loss|number }} nats a galaxy; \
constant prediction {{ overall.constant_loss|number }} \
({{ overall.n_galaxies|int }} held-out galaxies)

Accuracy    model  constant  galaxies asked
{% for question in questions %}
  {{ "%-22s"|format(question.name) }} {{ question.accuracy|number }}  \
{{ question.constant_accuracy|number }}  {{ question.n|int }}
{% endfor %}

PCA         {{ n_components }} components keep {{ (100 * variance_kept)|number(1) }}% \
of the variance
Rings       ROC AUC {{ rings.final.roc_auc|number }} \
({{ rings.final.roc_auc_90pc_lower|number(2) }} to \
{{ rings.final.roc_auc_90pc_upper|number(2) }}, 90% interval) on \
{{ rings.final.n }} held-out galaxies, {{ rings.final.n_rings }} of them rings; \
frozen encoder {{ rings.stage_1.roc_auc|number }}
            linear probe {{ rings.linear_probe.roc_auc|number }} \
({{ rings.linear_probe.roc_auc_90pc_lower|number(2) }} to \
{{ rings.linear_probe.roc_auc_90pc_upper|number(2) }}), cross-validated on \
{{ rings.linear_probe.n }} galaxies, {{ rings.linear_probe.n_rings }} of them rings

Results are in {{ results }}; open report.html there first.
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ run_name }}: galaxy morphology</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; }
table { border-collapse: collapse; }
th, td { padding: 0.2rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; }
.headline { font-size: 1.2rem; }
</style>
</head>
<body>
<h1>{{ run_name }}</h1>
<p>{{ n_labelled }} galaxies with votes, {{ n_unlabelled }} without;
{{ n_rejected }} rows rejected (<code>catalog/rejected.csv</code> says why).</p>

<h2>Answers of the decision tree</h2>
<p class="headline">Test loss {{ overall.loss|number }} nats a galaxy, against
{{ overall.constant_loss|number }} for the best constant prediction, on
{{ overall.n_galaxies|int }} held-out galaxies.</p>
<table>
<tr><th>question</th><th>galaxies</th><th>accuracy</th><th>constant</th>
<th>mean abs. error</th><th>constant</th><th>loss</th><th>constant</th></tr>
{% for question in questions %}
<tr><td>{{ question.name }}</td><td>{{ question.n|int }}</td>
<td>{{ question.accuracy|number }}</td><td>{{ question.constant_accuracy|number }}</td>
<td>{{ question.mean_absolute_error|number }}</td>
<td>{{ question.constant_mean_absolute_error|number }}</td>
<td>{{ question.loss|number }}</td><td>{{ question.constant_loss|number }}</td></tr>
{% endfor %}
</table>
<p>Accuracy and mean absolute error of the vote fractions count galaxies of which enough
volunteers were asked the question; the loss counts all.</p>
<p><img src="{{ pictures.metrics }}" alt="Accuracy and loss of each question"></p>

<h2>Training</h2>
<p><img src="{{ pictures.histories }}" alt="Loss by epoch"></p>

<h2>Representations</h2>
<p>{{ n_components }} principal components keep
{{ (100 * variance_kept)|number(1) }}% of the variance.</p>
<p><img src="{{ pictures.variance }}" alt="Explained variance"></p>

<h2>Rings</h2>
<p class="headline">ROC AUC {{ rings.final.roc_auc|number }}
({{ rings.final.roc_auc_90pc_lower|number(2) }} to
{{ rings.final.roc_auc_90pc_upper|number(2) }}, 90% interval).</p>
<table>
<tr><th></th><th>galaxies</th><th>rings</th><th>accuracy</th><th>balanced accuracy</th>
<th>ROC AUC</th><th>average precision</th><th>Brier score</th></tr>
{% for name, row in (("frozen encoder", rings.stage_1), ("final", rings.final)) %}
<tr><td>{{ name }}</td><td>{{ row.n }}</td><td>{{ row.n_rings }}</td>
<td>{{ row.accuracy|number }}</td><td>{{ row.balanced_accuracy|number }}</td>
<td>{{ row.roc_auc|number }}</td><td>{{ row.average_precision|number }}</td>
<td>{{ row.brier_score|number }}</td></tr>
{% endfor %}
</table>
<p>A logistic regression on the representations, cross-validated on all
{{ rings.linear_probe.n }} galaxies of the ring catalogue
({{ rings.linear_probe.n_rings }} rings), has ROC AUC
{{ rings.linear_probe.roc_auc|number }}
({{ rings.linear_probe.roc_auc_90pc_lower|number(2) }} to
{{ rings.linear_probe.roc_auc_90pc_upper|number(2) }}).</p>
<p>The galaxies most likely to be rings, most likely first:</p>
<p><img src="{{ pictures.rings }}" alt="Images of the most likely rings"></p>
</body>
</html>
"""
