from pathlib import Path

import pandas as pd

from dssl.report.published import FIGURE_4A, FIGURE_4B
from dssl.report.study import draw_information


def curves(noise: float, **quantities: float) -> pd.DataFrame:
    rows = [
        {"method": "dssl" if "bound" in name else "gaussian optimum", "noise": noise, "beta": 1.0, "quantity": name}
        for name in quantities
    ]
    return pd.DataFrame(rows).assign(seed=0, preset="released", nats=list(quantities.values()))


BOUNDS = {"lower_bound_I(Z;X2)": 6.5, "upper_bound_I(Z;X1|X2)": 20.0}


def test_the_plane_shows_the_limit_of_the_bound_and_says_where_the_optimum_is_infinite(tmp_path: Path) -> None:
    path = tmp_path / "plane.svg"
    draw_information(curves(0.0, **BOUNDS), 4000, path)
    shown = path.read_text(encoding="utf-8")
    # log 4000
    assert "log n = 8.29" in shown
    assert "optimum: I(Z;X2) infinite" in shown
    draw_information(curves(1.0, **BOUNDS, **{"I(Z;X2)": 9.0, "I(Z;X1|X2)": 4.0}), 4000, path)
    shown = path.read_text(encoding="utf-8")
    assert "exact Gaussian optimum" in shown
    assert "infinite" not in shown


def test_published_figure_4a_is_complete() -> None:
    betas = [point[0] for point in FIGURE_4A]
    assert betas == [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 50, 100, 300, 500, 1000]
    assert all(0.5 < value < 0.8 for point in FIGURE_4A for value in point[1:])
    shared = [point[1] for point in FIGURE_4A]
    assert shared == sorted(shared, reverse=True)


def test_published_figure_4b_is_complete() -> None:
    assert {name: len(points) for name, points in FIGURE_4B.items()} == {
        "DisentangledSSL, beta 0.1": 7,
        "JointOpt, a = 1": 5,
        "DMVAE": 4,
        "FOCAL (as released)": 2,
    }
    assert all(0.55 < value < 0.76 for points in FIGURE_4B.values() for point in points for value in point)
