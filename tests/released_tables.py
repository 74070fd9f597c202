"""Tables with the columns of released ones of Galaxy Zoo, with made-up galaxies."""

import numpy as np
import pandas as pd

from tests.catalogs import write_csv
from zoobot.schemas import get_schema
from zoobot.settings.catalog import PRESET_SCHEMAS

# What an answer of our tree is called in Galaxy Zoo 2 (Willett et al. 2013, table 2)
# and which class it is in the Galaxy Zoo Challenge (its page of the decision tree).
ANSWERS = {
    "smooth-or-featured_smooth": ("t01_smooth_or_features_a01_smooth", "1.1"),
    "smooth-or-featured_featured-or-disk": (
        *("t01_smooth_or_features_a02_features_or_disk", "1.2"),
    ),
    "smooth-or-featured_artifact": (
        *("t01_smooth_or_features_a03_star_or_artifact", "1.3"),
    ),
    "disk-edge-on_yes": ("t02_edgeon_a04_yes", "2.1"),
    "disk-edge-on_no": ("t02_edgeon_a05_no", "2.2"),
    "bar_yes": ("t03_bar_a06_bar", "3.1"),
    "bar_no": ("t03_bar_a07_no_bar", "3.2"),
    "has-spiral-arms_yes": ("t04_spiral_a08_spiral", "4.1"),
    "has-spiral-arms_no": ("t04_spiral_a09_no_spiral", "4.2"),
    "bulge-size_no": ("t05_bulge_prominence_a10_no_bulge", "5.1"),
    "bulge-size_just-noticeable": ("t05_bulge_prominence_a11_just_noticeable", "5.2"),
    "bulge-size_obvious": ("t05_bulge_prominence_a12_obvious", "5.3"),
    "bulge-size_dominant": ("t05_bulge_prominence_a13_dominant", "5.4"),
    "something-odd_yes": ("t06_odd_a14_yes", "6.1"),
    "something-odd_no": ("t06_odd_a15_no", "6.2"),
    "how-rounded_round": ("t07_rounded_a16_completely_round", "7.1"),
    "how-rounded_in-between": ("t07_rounded_a17_in_between", "7.2"),
    "how-rounded_cigar": ("t07_rounded_a18_cigar_shaped", "7.3"),
    "bulge-shape_round": ("t09_bulge_shape_a25_rounded", "9.1"),
    "bulge-shape_boxy": ("t09_bulge_shape_a26_boxy", "9.2"),
    "bulge-shape_no-bulge": ("t09_bulge_shape_a27_no_bulge", "9.3"),
    "spiral-winding_tight": ("t10_arms_winding_a28_tight", "10.1"),
    "spiral-winding_medium": ("t10_arms_winding_a29_medium", "10.2"),
    "spiral-winding_loose": ("t10_arms_winding_a30_loose", "10.3"),
    "spiral-arm-count_1": ("t11_arms_number_a31_1", "11.1"),
    "spiral-arm-count_2": ("t11_arms_number_a32_2", "11.2"),
    "spiral-arm-count_3": ("t11_arms_number_a33_3", "11.3"),
    "spiral-arm-count_4": ("t11_arms_number_a34_4", "11.4"),
    "spiral-arm-count_more-than-4": ("t11_arms_number_a36_more_than_4", "11.5"),
    "spiral-arm-count_cant-tell": ("t11_arms_number_a37_cant_tell", "11.6"),
}


def label_cols(preset):
    """Answers of a preset's decision tree."""
    return get_schema(PRESET_SCHEMAS[preset]).label_cols


def columns_of(preset):
    """Columns of a table as it was released, votes and ids and more."""
    if preset == "gz2":
        answers = [name for name, _ in ANSWERS.values()]
        kinds = ["count", "weight", "fraction", "weighted_fraction", "debiased", "flag"]
        odd = "t08_odd_feature_a19_ring"
        votes = [f"{one}_{kind}" for one in [*answers, odd] for kind in kinds]
        return ["dr7objid", "ra", "dec", "sample", "gz2_class", *votes]
    if preset == "gz_challenge":
        sizes = [3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6]
        return ["GalaxyID"] + [
            f"Class{task}.{answer}"
            for task, n in enumerate(sizes, 1)
            for answer in range(1, n + 1)
        ]
    kinds = ["", "_fraction", "_debiased"]
    votes = [f"{one}{kind}" for one in label_cols(preset) for kind in kinds]
    totals = [
        f"{q.text}_total-votes" for q in get_schema(PRESET_SCHEMAS[preset]).questions
    ]
    paths = ["png_loc"] if preset == "gz_decals" else []
    return ["iauname", "ra", "dec", "petro_th50", "petro_th90", *paths, *totals, *votes]


def vote_column(preset, label):
    """What a released table calls the votes of an answer."""
    if preset == "gz2":
        return f"{ANSWERS[label][0]}_count"
    return f"Class{ANSWERS[label][1]}" if preset == "gz_challenge" else label


def write_table(folder, preset):
    """A table of a released one's columns, of three galaxies, and their images."""
    rng = np.random.default_rng(4)
    ids = {"gz2": "58772601614283588{}", "gz_challenge": "10000{}"}
    names = [ids.get(preset, "J08141{}.47+220853.0").format(i) for i in range(3)]
    columns = columns_of(preset)
    rows = [dict.fromkeys(columns, "7.5") for _ in names]
    high = 1 if preset == "gz_challenge" else 40
    for row, name in zip(rows, names, strict=True):
        row[columns[0]] = name
        row["png_loc"] = f"dr5/{name[:4]}/{name}.png"
        for label in label_cols(preset):
            share = rng.random()
            value = share if high == 1 else int(share * high)
            row[vote_column(preset, label)] = value
        for question in get_schema(PRESET_SCHEMAS[preset]).questions:
            votes = [row.get(answer.label_col, 0) for answer in question.answers]
            row[f"{question.text}_total-votes"] = sum(votes)
    table = [[row[column] for column in columns] for row in rows]
    write_csv(folder / "table.csv", table, columns=columns)
    if preset == "gz2":
        mapping = [[name, "original", f"77{i}"] for i, name in enumerate(names)]
        mapping = [*reversed(mapping), ["1", "extra", "9"]]
        write_csv(folder / "map.csv", mapping, columns=["objid", "sample", "asset_id"])
    return pd.DataFrame(rows, index=names)


def image_names(preset, names):
    """Where the images of such a table are, from its folder of images."""
    if preset == "gz_decals":
        return [f"dr5/{name[:4]}/{name}.png" for name in names]
    if preset == "gz2":
        return [f"77{i}.jpg" for i in range(len(names))]
    return [f"{name}.{'png' if name[0] == 'J' else 'jpg'}" for name in names]
