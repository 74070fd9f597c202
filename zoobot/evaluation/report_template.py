"""The report's page and text, as jinja2 templates."""

from __future__ import annotations

__all__ = ["HEADLINE", "PAGE"]

HEADLINE = """\
{{ run_name }}: {{ n_labelled }} galaxies with votes, {{ n_unlabelled }} without, \
{{ n_rejected }} rows rejected
{% if n_trained_on != n_to_train_on %}
Trained on {{ n_trained_on }} galaxies of an earlier catalogue, which now has \
{{ n_to_train_on }} (retrain_on_new_data)
{% endif %}

Test loss   {{ overall.model.loss|number }} nats a galaxy \
({{ overall.model.n|int }} held-out galaxies); linear model on image statistics \
{{ overall.linear.loss|number }}, constant prediction \
{{ overall.constant.loss|number }}

Accuracy               model (90% interval)   linear  constant  galaxies  \
confident  galaxies  volunteers
{% for question in questions %}
  {{ "%-20s"|format(question.name) }} {{ question.all.model.accuracy|number }} \
({{ question.all.model.accuracy_lower|number }}-\
{{ question.all.model.accuracy_upper|number }})   \
{{ "%6s"|format(question.all.linear.accuracy|number) }}  \
{{ "%8s"|format(question.all.constant.accuracy|number) }}  \
{{ "%8d"|format(question.all.model.n) }}  \
{{ "%9s"|format(question.confident.model.accuracy|number) }}  \
{{ "%8d"|format(question.confident.model.n) }}  \
{{ "%10s"|format(question.volunteers.model|worth) }}
{% endfor %}
(volunteers: how many of them the model is worth; confident: where volunteers agree)

PCA         {{ n_components }} components keep {{ (100 * variance_kept)|number(1) }}% \
of the variance
{% if rings.task == "binary" %}
{{ "%-11s"|format(finder) }} ROC AUC {{ rings.final.roc_auc|number }} \
({{ rings.final.roc_auc_90pc_lower|number(2) }} to \
{{ rings.final.roc_auc_90pc_upper|number(2) }}, 90% interval) on \
{{ rings.final.n }} held-out galaxies, {{ rings.final.n_positive }} of them \
{{ positives }}; frozen encoder {{ rings.stage_1.roc_auc|number }}
            linear probe {{ rings.linear_probe.roc_auc|number }} \
({{ rings.linear_probe.roc_auc_90pc_lower|number(2) }} to \
{{ rings.linear_probe.roc_auc_90pc_upper|number(2) }}), cross-validated on \
{{ rings.linear_probe.n }} galaxies, {{ rings.linear_probe.n_positive }} of them \
{{ positives }}
{% else %}
{{ "%-11s"|format(finder) }} loss {{ rings.final.loss|number }} \
({{ rings.final.loss_90pc_lower|number(2) }} to \
{{ rings.final.loss_90pc_upper|number(2) }}, 90% interval; \
{{ rings.final.constant_loss|number }} without a model) on \
{{ rings.final.n }} held-out galaxies; frozen encoder {{ rings.stage_1.loss|number }}
{% endif %}

Results are in {{ results }}; open report.html there first.
"""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ run_name }}: galaxy morphology</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
       padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 0.9rem; display: block;
        overflow-x: auto; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
th[colspan] { text-align: center; }
td { white-space: nowrap; }
img { max-width: 100%; }
.headline { font-size: 1.2rem; }
</style>
</head>
<body>
<h1>{{ run_name }}</h1>
<p>{{ n_labelled }} galaxies with votes, {{ n_unlabelled }} without;
{{ n_rejected }} rows rejected (<code>catalog/rejected.csv</code> says why).</p>
{% if n_trained_on != n_to_train_on %}
<p>The model was trained on {{ n_trained_on }} galaxies of an earlier catalogue, which
now has {{ n_to_train_on }}; <code>retrain_on_new_data: true</code> trains on them.</p>
{% endif %}

<h2>Answers of the decision tree</h2>
<p class="headline">Test loss {{ overall.model.loss|number }} nats a galaxy
({{ overall.model.loss_lower|number }} to {{ overall.model.loss_upper|number }}),
against {{ overall.linear.loss|number }} for a linear model on image statistics and
{{ overall.constant.loss|number }} for the best constant prediction, on
{{ overall.model.n|int }} held-out galaxies.</p>
<table>
<tr><th></th><th colspan="5">accuracy</th><th colspan="2">confident galaxies</th>
<th colspan="3">loss</th><th colspan="2">worth in volunteers</th></tr>
<tr><th>question</th><th>galaxies</th><th>model</th><th>90% interval</th><th>linear</th>
<th>constant</th><th>number</th><th>accuracy</th><th>model</th><th>linear</th>
<th>constant</th><th>model</th><th>constant</th></tr>
{% for question in questions %}
<tr><td>{{ question.name }}</td><td>{{ question.all.model.n|int }}</td>
<td>{{ question.all.model.accuracy|number }}</td>
<td>{{ question.all.model.accuracy_lower|number }} to
{{ question.all.model.accuracy_upper|number }}</td>
<td>{{ question.all.linear.accuracy|number }}</td>
<td>{{ question.all.constant.accuracy|number }}</td>
<td>{{ question.confident.model.n|int }}</td>
<td>{{ question.confident.model.accuracy|number }}</td>
<td>{{ question.all.model.loss|number }}</td>
<td>{{ question.all.linear.loss|number }}</td>
<td>{{ question.all.constant.loss|number }}</td>
<td>{{ question.volunteers.model|worth }}</td>
<td>{{ question.volunteers.constant|worth }}</td></tr>
{% endfor %}
</table>
<p>A question counts for galaxies of which enough volunteers were asked it; of the
<em>confident</em> ones nearly all gave the same answer. <em>Worth</em>: how many
volunteers know a galaxy's vote fractions as well as the model.</p>
<p><img src="{{ pictures.metrics }}" alt="Accuracy and loss of each question"></p>
<p>Mean absolute error of each vote fraction, on galaxies with many votes:</p>
<p><img src="{{ pictures.answers }}" alt="Error of each vote fraction"></p>
<p>Which answers are taken for which:</p>
<p><img src="{{ pictures.confusion }}" alt="Confusion matrix of each question"></p>
<p>The model beside n volunteers, both judged by the other volunteers; where the lines
cross is what the model is worth:</p>
<p><img src="{{ pictures.volunteers }}" alt="Error by number of volunteers"></p>

<h2>Calibration</h2>
<table>
<tr><th></th><th colspan="3">counts inside the predicted intervals</th>
<th colspan="3">leading answer</th></tr>
<tr><th>question</th><th>galaxies</th><th>of 50%</th><th>of 90%</th>
<th>galaxies</th><th>calibration error</th><th>noise alone</th></tr>
{% for question in questions %}
<tr><td>{{ question.name }}</td><td>{{ question.calibration.n_with_votes|int }}</td>
<td>{{ question.coverage[0.5]|number }}</td><td>{{ question.coverage[0.9]|number }}</td>
<td>{{ question.calibration.n|int }}</td>
<td>{{ question.calibration.expected_calibration_error|number }}</td>
<td>{{ question.calibration.error_if_calibrated|number }}</td></tr>
{% endfor %}
</table>
<p>How often the predicted intervals of the votes hold the votes, less how often they
should; on the dashed line is right, below it overconfident:</p>
<p><img src="{{ pictures.coverage }}" alt="Coverage of the predicted intervals"></p>
<p>The randomised probability integral transform, uniform for a right model:</p>
<p><img src="{{ pictures.pit }}" alt="Probability integral transform"></p>
<p>How often the leading answer is that of the volunteers, against how probable the
model says that is:</p>
<p><img src="{{ pictures.reliability }}" alt="Reliability of the leading answer"></p>

<h2>Training</h2>
<p><img src="{{ pictures.training }}" alt="Loss by epoch"></p>

<h2>Representations</h2>
<p>{{ n_components }} principal components keep
{{ (100 * variance_kept)|number(1) }}% of the variance.</p>
<p><img src="{{ pictures.variance }}" alt="Explained variance"></p>

<h2>{{ finder }}</h2>
{% if rings.task == "binary" %}
<p class="headline">ROC AUC {{ rings.final.roc_auc|number }}
({{ rings.final.roc_auc_90pc_lower|number(2) }} to
{{ rings.final.roc_auc_90pc_upper|number(2) }}, 90% interval).</p>
<table>
<tr><th></th><th>galaxies</th><th>{{ positives }}</th><th>accuracy</th>
<th>balanced accuracy</th>
<th>ROC AUC</th><th>average precision</th><th>Brier score</th></tr>
{% for name, row in (("frozen encoder", rings.stage_1), ("final", rings.final)) %}
<tr><td>{{ name }}</td><td>{{ row.n }}</td><td>{{ row.n_positive }}</td>
<td>{{ row.accuracy|number }}</td><td>{{ row.balanced_accuracy|number }}</td>
<td>{{ row.roc_auc|number }}</td><td>{{ row.average_precision|number }}</td>
<td>{{ row.brier_score|number }}</td></tr>
{% endfor %}
</table>
<p>A logistic regression on the representations, cross-validated on all
{{ rings.linear_probe.n }} galaxies of the catalogue
({{ rings.linear_probe.n_positive }} {{ positives }}), has ROC AUC
{{ rings.linear_probe.roc_auc|number }}
({{ rings.linear_probe.roc_auc_90pc_lower|number(2) }} to
{{ rings.linear_probe.roc_auc_90pc_upper|number(2) }}).</p>
{% else %}
<p>Labels {{ rings.label }}, task {{ rings.task }}, of {{ rings.final.n }} held-out
galaxies, with 90% intervals:</p>
<table>
<tr><th></th><th>frozen encoder</th><th>final</th><th></th></tr>
{% for name in rings.final if name + "_90pc_lower" in rings.final %}
<tr><td>{{ name|replace("_", " ") }}</td><td>{{ rings.stage_1[name]|number }}</td>
<td>{{ rings.final[name]|number }}</td>
<td>{{ rings.final[name + "_90pc_lower"]|number }} to
{{ rings.final[name + "_90pc_upper"]|number }}</td></tr>
{% endfor %}
</table>
{% endif %}
<p>The galaxies with the highest {{ first_column }}, highest first:</p>
<p><img src="{{ pictures.rings }}" alt="Images of these galaxies"></p>
</body>
</html>
"""
