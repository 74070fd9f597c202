"""Statistics of images against galaxies drawn from known profiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammainc, gammaincinv

from tests import galaxies
from workflow_scripts import measure_images as script
from zoobot.data_utils.image_statistics import STATISTICS, image_statistics
from zoobot.data_utils.images import load_image
from zoobot.data_utils.measure_images import measure_images
from zoobot.settings.evaluation import MeasureImages

SIZE = 128
OVERSAMPLING = 9


def sersic(
    n: float, *, radius_px: float, axis_ratio: float = 1.0, angle: float = 0.0
) -> np.ndarray:
    """Sersic profile with a half-light radius, as floats, averaged over each pixel."""
    fine = SIZE * OVERSAMPLING
    y, x = (np.indices((fine, fine)) - (fine - 1) / 2) / OVERSAMPLING
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    r = np.hypot(along * np.sqrt(axis_ratio), across / np.sqrt(axis_ratio))
    b = gammaincinv(2 * n, 0.5)
    light = np.exp(-b * ((r / radius_px) ** (1 / n) - 1))
    shape = (SIZE, OVERSAMPLING, SIZE, OVERSAMPLING)
    return light.reshape(shape).mean(axis=(1, 3))


def as_image(light: np.ndarray, *, peak: float = 250.0) -> np.ndarray:
    """Grey image, (size, size, 3) uint8, whose brightest pixel is `peak`."""
    grey = np.round(light / light.max() * peak).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def true_radius(n: float, share: float, *, radius_px: float, edge_px: float) -> float:
    """Radius with a share of the light inside the edge, from the gamma function."""
    b = gammaincinv(2 * n, 0.5)
    inside = gammainc(2 * n, b * (edge_px / radius_px) ** (1 / n))
    return radius_px * (gammaincinv(2 * n, share * inside) / b) ** n


@pytest.mark.parametrize("radius_px", [8.0, 12.0])
def test_exponential_disk_has_its_radius_and_concentration(radius_px: float):
    """C of an exponential is 5 log10(r80 / r20), 2.8 if nothing is cut off.

    Light is rounded to grey levels, 1/250 of the peak, so that the outskirts, some 2%
    of the light, are lost: radii are true to 3%, and C, 5 log10 of a ratio, to 0.1.
    """
    found = image_statistics(as_image(sersic(1, radius_px=radius_px)))
    true = {
        share: true_radius(1, share, radius_px=radius_px, edge_px=SIZE / 2)
        for share in (0.2, 0.5, 0.8)
    }
    expected = 5 * np.log10(true[0.8] / true[0.2])
    assert 2.5 < expected < 2.85
    assert found["concentration"] == pytest.approx(expected, abs=0.1)
    radius = found["half_light_radius"] * SIZE / 2
    assert radius == pytest.approx(true[0.5], rel=0.03)


def test_elliptical_galaxies_are_more_concentrated_than_disks():
    """A Gaussian, n = 1/2, least, then the exponential, then de Vaucouleurs' profile.

    8 bits hold no n = 4 core and halo together: its C is below the true one, but its
    core must still show.
    """
    images = [as_image(sersic(n, radius_px=10)) for n in (0.5, 1, 4)]
    found = [image_statistics(image)["concentration"] for image in images]
    gaussian = 5 * np.log10(np.sqrt(np.log(0.2) / np.log(0.8)))
    assert found[0] == pytest.approx(gaussian, abs=0.05)
    assert found[0] + 0.5 < found[1] < found[2]


def test_radii_survive_noise_and_a_bright_sky():
    """A background is subtracted; noise of 6 grey levels moves radii by percents."""
    rng = np.random.default_rng(1)
    light = sersic(1, radius_px=10)
    sky = 40 + 150 * light / light.max() + rng.normal(0, 6, (SIZE, SIZE))
    noisy = np.repeat(np.round(sky).astype(np.uint8)[..., None], 3, axis=2)
    clean, found = image_statistics(as_image(light)), image_statistics(noisy)
    for name, tolerance in {"half_light_radius": 0.02, "concentration": 0.3}.items():
        assert found[name] == pytest.approx(clean[name], abs=tolerance), name
    # The noise's own asymmetry and clumps, seen in the border, are taken off.
    assert abs(found["asymmetry"]) < 0.1
    assert abs(found["clumpiness"]) < 0.2


@pytest.mark.parametrize("axis_ratio", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("angle", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("n", [0.5, 1])
def test_axis_ratio_of_an_ellipse(n: float, axis_ratio: float, angle: float):
    """Second moments inside an isophote have its axis ratio, whatever the profile.

    Pixels, which blur 10 px by 1, and the tenth of the edge that may be brighter make
    thin galaxies rounder, by 0.012 at most where 0.3 is true.
    """
    light = sersic(n, radius_px=10, axis_ratio=axis_ratio, angle=angle)
    found = image_statistics(as_image(light))["axis_ratio"]
    assert found == pytest.approx(axis_ratio, abs=0.015)


def test_asymmetry():
    """0 of what a half turn leaves alone; 2 of light that lands on none when turned."""
    symmetric = as_image(sersic(1, radius_px=10, axis_ratio=0.5, angle=0.3))
    assert abs(image_statistics(symmetric)["asymmetry"]) < 1e-12
    one_sided = np.zeros((SIZE, SIZE, 3), np.uint8)
    one_sided[60:68, 68:76] = 200
    assert image_statistics(one_sided)["asymmetry"] == pytest.approx(2)


def test_clumps_make_an_image_clumpier():
    smooth = as_image(sersic(1, radius_px=12), peak=120)
    clumpy = smooth.copy()
    rng = np.random.default_rng(2)
    for angle in rng.uniform(0, 2 * np.pi, 30):
        y, x = (64 + 18 * np.array([np.sin(angle), np.cos(angle)])).astype(int)
        clumpy[y : y + 2, x : x + 2] += 80
    found = [image_statistics(image)["clumpiness"] for image in (smooth, clumpy)]
    assert found[0] + 0.3 < found[1]


def test_gini_is_a_mean_difference():
    """The second definition: the mean of |X_i - X_j| over pairs, by twice the mean."""
    image = as_image(sersic(1, radius_px=12))
    found = image_statistics(image)
    # The aperture is 1.5 r80, the radius from the light itself, summed by pixels.
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    r, light = np.hypot(x, y), image[..., 0].astype(float)
    rising = np.argsort(r.ravel(), kind="stable")
    growth = np.cumsum(light.ravel()[rising])
    r80 = r.ravel()[rising][np.searchsorted(growth, 0.8 * growth[-1])]
    values = light[r <= 1.5 * r80]
    differences = np.abs(values[:, None] - values).sum() / len(values)
    expected = differences / (len(values) - 1) / (2 * values.mean())
    # That radius is true to half a pixel of 47, and G varies little with it.
    assert found["gini"] == pytest.approx(expected, abs=0.01)


def test_gini_of_one_pixel_is_1_and_of_even_light_0():
    one = np.zeros((SIZE, SIZE, 3), np.uint8)
    one[64, 64] = 200
    assert image_statistics(one)["gini"] == pytest.approx(1)
    even = np.zeros((SIZE, SIZE, 3), np.uint8)
    even[8:-8, 8:-8] = 100  # more than the aperture
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    edge = 1.5 * np.sqrt(0.8 * (even[..., 0] > 0)[np.hypot(x, y) <= SIZE / 2].sum())
    assert edge / np.sqrt(np.pi) > SIZE / 2
    # Some pixels of the circle lie outside the square: G is their share.
    lit = even[..., 0][np.hypot(x, y) <= SIZE / 2] > 0
    assert image_statistics(even)["gini"] == pytest.approx(1 - lit.mean(), abs=1e-3)
    constant = np.full((SIZE, SIZE, 3), 100, np.uint8)
    assert image_statistics(constant)["gini"] == 0


def test_m20_of_an_even_disk_and_of_a_core():
    """All of an even disk is its brightest: log10(1) = 0; a core is far below."""
    y, x = np.indices((SIZE, SIZE)) - (SIZE - 1) / 2
    disk = as_image((np.hypot(x, y) < 20).astype(float))
    assert image_statistics(disk)["m20"] == pytest.approx(0, abs=1e-9)
    # Exponential, light to the aperture of 1.5 r80: both moments are integrals.
    h, edge = 8.0, 1.5 * 2.994 * 8
    r = np.linspace(0, edge, 100_000)
    light = np.cumsum(r * np.exp(-r / h))
    moment = np.cumsum(r**3 * np.exp(-r / h))
    expected = np.log10(moment[np.searchsorted(light, 0.2 * light[-1])] / moment[-1])
    found = image_statistics(as_image(sersic(1, radius_px=1.678 * h)))["m20"]
    # 1/250 of the peak is lost in the outskirts, where the moment is largest.
    assert found == pytest.approx(expected, abs=0.1)


def test_colours_are_ratios_of_bands():
    """Red twice as bright as green: log10(2), but for a floor of 1 grey level."""
    image = as_image(sersic(0.5, radius_px=16))
    image[..., 1] = image[..., 0] // 2
    image[..., 2] = image[..., 0] // 2
    found = image_statistics(image)
    assert found["colour_red_green"] == pytest.approx(np.log10(2), abs=0.02)
    assert found["colour_green_blue"] == pytest.approx(0, abs=1e-12)
    # One colour everywhere; the floor matters only outside, where light is faint.
    assert found["colour_gradient"] == pytest.approx(0, abs=0.05)


def test_turned_and_flipped_images_have_the_same_statistics():
    """All eight, of odd and even sides; 1e-9 is rounding."""
    rng = np.random.default_rng(3)
    for size in (64, 65):
        for kind in galaxies.KINDS:
            image = galaxies.draw(kind, size_px=size, rng=rng)
            expected = list(image_statistics(image).values())
            for turns in range(4):
                turned = np.rot90(image, turns)
                for view in (turned, turned[::-1]):
                    found = list(image_statistics(view).values())
                    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def odd_images() -> dict[str, np.ndarray]:
    """Images that show no galaxy, (17 to 64 px, 3) uint8."""
    rng = np.random.default_rng(4)
    images = {f"all {v}": np.full((64, 64, 3), v, np.uint8) for v in (0, 1, 255)}
    for size in (16, 17, 64):
        noise = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        images[f"noise {size}"] = noise
        images[f"saturated noise {size}"] = np.where(noise > 127, 255, 0).astype("u1")
        images[f"rare {size}"] = (noise == 255).astype(np.uint8)
        for place in ((0, 0), (size // 2, size // 2), (size // 2, 1), (3, 5)):
            for rest, value in ((0, 255), (0, 1), (255, 0), (128, 129)):
                image = np.full((size, size, 3), rest, np.uint8)
                image[place] = value
                images[f"pixel {place} {value} in {rest}, {size}"] = image
        line = np.zeros((size, size, 3), np.uint8)
        line[size // 2] = 255
        images[f"line {size}"] = line
        images[f"one band {size}"] = noise * np.array([1, 0, 0], np.uint8)
    return images


@pytest.mark.parametrize("name", odd_images())
def test_any_image_has_finite_statistics(name: str):
    found = image_statistics(odd_images()[name])
    assert tuple(found) == STATISTICS
    assert np.isfinite(list(found.values())).all(), found
    assert 0 <= found["gini"] <= 1 + 1e-12
    assert 0 <= found["axis_ratio"] <= 1
    assert -4 <= found["m20"] <= 1e-9


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_blank_image_is_bright_or_dark_and_nothing_else(level: int):
    found = image_statistics(np.full((32, 32, 3), level, np.uint8))
    expected = dict.fromkeys(STATISTICS, 0.0) | {"axis_ratio": 1.0}
    assert found == expected | {"mean_brightness": pytest.approx(level / 255)}


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 31, 3), np.uint8),
        np.zeros((15, 15, 3), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((32, 32, 3), np.float32),
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray):
    with pytest.raises(ValueError, match="expected \\(size, size, 3\\) uint8"):
        image_statistics(image)


def test_tables_hold_every_galaxy_whatever_the_processes(tmp_path: Path):
    """The script's table equals the function, one image at a time, with 1 process or 2.

    70 galaxies are two chunks, so that both processes work.
    """
    catalog = galaxies.write_galaxies(tmp_path / "images", n_galaxies=70)
    catalog.to_parquet(tmp_path / "galaxies.parquet")
    for threads in ("1", "2"):
        script.main(
            [
                *("--galaxies", str(tmp_path / "galaxies.parquet")),
                *("--statistics", str(tmp_path / f"{threads}.parquet")),
                *("--threads", threads, "--image-size-px", "24"),
            ]
        )
    table = pd.read_parquet(tmp_path / "1.parquet")
    pd.testing.assert_frame_equal(table, pd.read_parquet(tmp_path / "2.parquet"))
    assert list(table) == ["id_str", *STATISTICS]
    assert list(table["id_str"]) == list(catalog["id_str"])
    expected = [
        list(image_statistics(load_image(path, size_px=24)).values())
        for path in catalog["file_loc"]
    ]
    values = table[list(STATISTICS)].to_numpy()
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array(expected, np.float32))


def test_an_empty_table_gives_an_empty_table(tmp_path: Path):
    none = pd.DataFrame({"id_str": [], "file_loc": []}, dtype="str")
    none.to_parquet(tmp_path / "none.parquet")
    measure_images(
        tmp_path / "none.parquet",
        statistics=tmp_path / "statistics.parquet",
        settings=MeasureImages(image_size_px=16),
    )
    table = pd.read_parquet(tmp_path / "statistics.parquet")
    assert list(table) == ["id_str", *STATISTICS]
    assert len(table) == 0


def test_bad_input_is_named(tmp_path: Path):
    bad = pd.DataFrame({"id_str": ["a"], "file_loc": [str(tmp_path / "no.png")]})
    bad.to_parquet(tmp_path / "bad.parquet")
    settings = MeasureImages(image_size_px=16)
    out = tmp_path / "out.parquet"
    with pytest.raises(ValueError, match=r"no\.png: file does not exist"):
        measure_images(tmp_path / "bad.parquet", statistics=out, settings=settings)
    with pytest.raises(ValueError, match="n_processes: found 0, expected at least 1"):
        measure_images(
            tmp_path / "bad.parquet", statistics=out, settings=settings, n_processes=0
        )
    bad[["id_str"]].to_parquet(tmp_path / "less.parquet")
    with pytest.raises(ValueError, match="columns missing: file_loc"):
        measure_images(tmp_path / "less.parquet", statistics=out, settings=settings)
    assert not out.exists()
