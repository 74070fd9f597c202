"""What is drawn measures as what was asked for."""

import numpy as np
import pytest

from zoobot.demo.galaxies import surface_brightness
from zoobot.demo.pictures import picture
from zoobot.demo.population import Galaxy

_SIZE_PX = 96


def _galaxy(**changes: object) -> Galaxy:
    parameters = {
        "kind": "disk",
        "snr": 30.0,
        "half_light_radius": 0.14,
        "psf_fwhm": 0.02,
        "position_angle_deg": 0.0,
        "bulge_fraction": 0.0,
    }
    return Galaxy(**parameters | changes)


def _spiral(n_arms: int, *, pitch_deg: float = 25.0, **changes: object) -> Galaxy:
    return _galaxy(n_arms=n_arms, pitch_deg=pitch_deg, arm_contrast=0.8, **changes)


def _light(galaxy: Galaxy, *, size_px: int = _SIZE_PX) -> np.ndarray:
    rng = np.random.default_rng(3)
    return surface_brightness(galaxy, size_px=size_px, rng=rng).mean(axis=-1)


def _positions(size_px: int = _SIZE_PX) -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(size_px) + 0.5) / size_px - 0.5
    return np.meshgrid(axis, axis)


def _second_moments(light: np.ndarray, psf_fwhm: float) -> np.ndarray:
    """Covariance of the light, less that of the point spread function and a pixel."""
    x, y = _positions(light.shape[0])
    covariance = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=light.ravel())
    blur = (psf_fwhm / 2.3548) ** 2 + 1 / 12 / light.shape[0] ** 2
    return covariance - blur * np.eye(2)


def _fourier(light: np.ndarray, radius: float, m: int) -> complex:
    """Azimuthal mode m of a face-on galaxy at a radius, relative to mode 0."""
    x, y = _positions(light.shape[0])
    near = np.exp(-0.5 * ((np.hypot(x, y) - radius) / 0.01) ** 2)
    phases = np.exp(-1j * m * np.arctan2(y, x))
    return (light * near * phases).sum() / (light * near).sum()


@pytest.mark.parametrize("inclination_deg", [0.0, 40.0, 65.0])
@pytest.mark.parametrize("position_angle_deg", [0.0, 30.0, 120.0])
def test_disk_moments_follow_inclination_and_position_angle(
    inclination_deg, position_angle_deg
):
    """Second moments of a thin disk: axis ratio cos i, along the position angle."""
    axis_ratio = np.cos(np.radians(inclination_deg))
    # So small that none of its light, in effect, lies outside of the image.
    galaxy = _galaxy(
        half_light_radius=0.07,
        inclination_deg=inclination_deg,
        axis_ratio=axis_ratio,
        position_angle_deg=position_angle_deg,
    )
    moments = _second_moments(_light(galaxy), galaxy.psf_fwhm)
    variances, axes = np.linalg.eigh(moments)
    # 0.01: what the pixels, 1/7 of a half-light radius, may do.
    measured = np.sqrt(variances[0] / variances[1])
    np.testing.assert_allclose(measured, axis_ratio, rtol=0, atol=0.01)
    # An exponential disk's variance along each axis is 3 h^2.
    np.testing.assert_allclose(
        np.sqrt(variances[1] / 3), galaxy.scale_length, rtol=0, atol=0.001
    )
    if inclination_deg:
        angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) % 180
        difference = (angle - position_angle_deg + 90) % 180 - 90
        np.testing.assert_allclose(difference, 0, rtol=0, atol=0.5)


@pytest.mark.parametrize("sersic_index", [1.0, 2.0])
def test_half_of_the_light_and_signal_to_noise(sersic_index):
    """Half of the light lies in the half-light radius, at the mean asked for."""
    galaxy = _galaxy(kind="smooth", half_light_radius=0.09, sersic_index=sersic_index)
    light = _light(galaxy)
    inside = np.hypot(*_positions()) < galaxy.half_light_radius
    # 0.03: n = 2 has 2% of its light outside of the image; the blur moves 1% outwards.
    np.testing.assert_allclose(
        light[inside].sum() / light.sum(), 0.5, rtol=0, atol=0.03
    )
    # The noise has a sigma of 1; 2 of 30 for the same reasons.
    np.testing.assert_allclose(light[inside].mean(), galaxy.snr, rtol=0, atol=2)


@pytest.mark.parametrize("n_arms", [1, 2, 3, 4, 5, 6])
def test_count_of_arms(n_arms):
    """The strongest azimuthal mode is the number of arms."""
    galaxy = _spiral(n_arms)
    light = _light(galaxy)
    modes = [
        np.mean(
            [abs(_fourier(light, r * galaxy.scale_length, m)) for r in (1.6, 2, 2.4)]
        )
        for m in range(1, 9)
    ]
    assert int(np.argmax(modes)) + 1 == n_arms


@pytest.mark.parametrize("pitch_deg", [11.0, 20.0, 35.0])
@pytest.mark.parametrize("handedness", [1, -1])
def test_pitch_angle(pitch_deg, handedness):
    """The phase of mode 2 winds by 2 / tan(pitch) for each e-fold in radius."""
    galaxy = _spiral(2, pitch_deg=pitch_deg, handedness=handedness)
    light = _light(galaxy, size_px=192)
    radii = np.linspace(1.4, 2.6, 25) * galaxy.scale_length
    phases = np.unwrap([np.angle(_fourier(light, r, 2)) for r in radii])
    slope = np.polyfit(np.log(radii), phases, 1)[0]
    measured = np.degrees(np.arctan2(2, -handedness * slope))
    # Clumps and the disk's own gradient shift crests a little.
    np.testing.assert_allclose(measured, pitch_deg, rtol=0, atol=2)


def test_ring_is_a_maximum_of_the_profile():
    """The profile has its one maximum outside of the centre at the ring's radius."""
    galaxy = _galaxy(has_ring=True, ring_radius=2.1, ring_fraction=0.4)
    light = _light(galaxy)
    distance_px = np.hypot(*_positions()) * _SIZE_PX
    profile = np.array(
        [light[abs(distance_px - r) < 0.75].mean() for r in range(1, 40)]
    )
    is_peak = (profile[1:-1] > profile[:-2]) & (profile[1:-1] > profile[2:])
    peaks_px = np.flatnonzero(is_peak) + 2
    expected_px = galaxy.ring_radius * galaxy.scale_length * _SIZE_PX
    np.testing.assert_allclose(peaks_px, [expected_px], rtol=0, atol=1)


def test_bars_are_along_the_major_axis_and_strong_ones_stronger():
    """Within its length a bar has a mode 2 of phase 0, greater the stronger it is."""
    amplitudes = []
    for bar in ("no", "weak", "strong"):
        galaxy = _galaxy(bar=bar, bar_length=0.0 if bar == "no" else 1.2)
        mode = _fourier(_light(galaxy), 0.8 * galaxy.scale_length, 2)
        amplitudes.append(mode.real)
        np.testing.assert_allclose(mode.imag, 0, rtol=0, atol=0.01)
    # The gaps are at least the contrast that a person can see, a tenth.
    assert np.diff(amplitudes).min() > 0.1


def test_edge_on_disks_are_thin_and_bulges_thicken_them():
    """The light's height over its length grows with the bulge."""
    ratios = []
    for bulge_fraction in (0.0, 0.4):
        galaxy = _galaxy(
            kind="edge-on",
            inclination_deg=88.0,
            edge_on_bulge="rounded" if bulge_fraction else "none",
            bulge_fraction=bulge_fraction,
            sersic_index=1.2,
        )
        moments = _second_moments(_light(galaxy), galaxy.psf_fwhm)
        ratios.append(np.sqrt(moments[1, 1] / moments[0, 0]))
    assert ratios[0] < 0.2 < ratios[1] < 0.6


def test_boxy_bulges_have_corners():
    """On the diagonals a boxy bulge has more light, along the axes less."""
    light = {
        shape: _light(
            _galaxy(
                kind="edge-on",
                inclination_deg=90.0,
                edge_on_bulge=shape,
                bulge_fraction=0.9,
                sersic_index=0.5,
                half_light_radius=0.2,
            )
        )
        for shape in ("boxy", "rounded")
    }
    # Mode 4 of the isophotes, with the height stretched to the boxy bulge's 0.65.
    x, y = _positions()
    angle = np.arctan2(y / 0.65, x)
    near = abs(np.hypot(x, y / 0.65) - 0.1) < 0.02
    weights = near * np.cos(4 * angle)
    boxiness = {s: -(v * weights).sum() / (v * near).sum() for s, v in light.items()}
    assert boxiness["boxy"] > boxiness["rounded"] + 0.05


def test_merger_has_a_companion_where_asked():
    """What a merger adds to the galaxy is brightest at the companion."""
    galaxy = _galaxy(merging="merger", disturbance_deg=40.0, companion_distance=2.0)
    added = _light(galaxy) - _light(_galaxy())
    x, y = _positions()
    brightest = np.unravel_index(np.argmax(added), added.shape)
    angle, distance = np.radians(40.0), 2.0 * galaxy.half_light_radius
    found = [x[brightest], y[brightest]]
    expected = [distance * np.cos(angle), distance * np.sin(angle)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.5 / _SIZE_PX)


@pytest.mark.parametrize("merging", ["minor-disturbance", "major-disturbance"])
def test_disturbed_galaxies_are_asymmetric(merging):
    """Turned by half a turn an undisturbed galaxy is the same, a disturbed one not."""
    asymmetry = []
    for galaxy in (_galaxy(), _galaxy(merging=merging, disturbance_deg=40.0)):
        light = _light(galaxy)
        asymmetry.append(abs(light - light[::-1, ::-1]).sum() / light.sum())
    # The tolerance is that of float32 sums.
    assert asymmetry[0] < 1e-4
    assert asymmetry[1] > 0.05


def test_young_arms_are_bluer_than_old_bulges():
    """The colour gradient that volunteers see: a red bulge, blue arms."""
    galaxy = _spiral(2, bulge_fraction=0.3)
    bands = surface_brightness(galaxy, size_px=_SIZE_PX, rng=np.random.default_rng(0))
    distance = np.hypot(*_positions()) / galaxy.scale_length
    red_over_blue = [
        bands[where][:, 0].sum() / bands[where][:, 2].sum()
        for where in (distance < 0.4, (distance > 1.5) & (distance < 3))
    ]
    assert red_over_blue[0] > 1.5 > 1 > red_over_blue[1]


def test_picture_is_seeded():
    """Same seed same pixels, other seed others."""
    first, again, other = (
        picture(_spiral(2), size_px=48, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    assert first.dtype == np.uint8
    assert first.shape == (48, 48, 3)


def test_bright_galaxies_stand_out_of_the_sky():
    """The sky is dark but not black, so that its noise shows; a centre is bright."""
    image = picture(
        _galaxy(kind="smooth"), size_px=_SIZE_PX, rng=np.random.default_rng(0)
    )
    corner = image[:12, :12].astype(float)
    assert 5 < corner.mean() < 60
    assert corner.std() > 2
    assert image[44:52, 44:52].mean() > 130


@pytest.mark.parametrize("artifact", ["satellite-trail", "saturated-star"])
def test_artifacts_outshine_the_galaxy(artifact):
    """An artifact saturates pixels that the galaxy does not."""
    n_saturated = []
    for kind in ("none", artifact):
        galaxy = _galaxy(kind="artifact", snr=5.0, artifact=kind)
        image = picture(galaxy, size_px=_SIZE_PX, rng=np.random.default_rng(4))
        n_saturated.append(np.count_nonzero(image.max(axis=-1) > 200))
    assert n_saturated[1] > n_saturated[0] + 100
