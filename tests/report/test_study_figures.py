from dssl.report.published import FIGURE_4A, FIGURE_4B


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
