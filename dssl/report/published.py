"""Accuracies published in figure 4 of the paper, digitised to +-0.003, to be drawn beside one's own.

Source: Wang, Gupta, Zhang, Tonekaboni, Jegelka, Jaakkola, Uhler, ICLR 2025, arXiv 2410.23996, figure 4. 90,000 pairs, three
seeds. Betas are on the released code's scale.
"""

SOURCE = "Wang et al. 2025, figure 4 [digitised, ±0.003]"

# (beta, label of Zs, label of Z1, label of Z2); the point at .001 stands for 0 too
FIGURE_4A: list[tuple[float, float, float, float]] = [
    (0.001, 0.783, 0.674, 0.680),
    (0.01, 0.783, 0.673, 0.680),
    (0.1, 0.778, 0.668, 0.676),
    (0.5, 0.767, 0.651, 0.657),
    (1.0, 0.756, 0.641, 0.645),
    (5.0, 0.719, 0.613, 0.626),
    (10.0, 0.709, 0.607, 0.610),
    (50.0, 0.690, 0.597, 0.584),
    (100.0, 0.683, 0.588, 0.576),
    (300.0, 0.589, 0.504, 0.515),
    (500.0, 0.572, 0.504, 0.513),
    (1000.0, 0.564, 0.504, 0.513),
]

# specific code of X: (label of Z1, label of Zs), along lambda 0, .001, .01, .1, 1, 10, 100 where seven are given
FIGURE_4B: dict[str, list[tuple[float, float]]] = {
    "DisentangledSSL, beta 0.1": [
        (0.740, 0.670),
        (0.741, 0.585),
        (0.723, 0.578),
        (0.714, 0.574),
        (0.688, 0.561),
        (0.677, 0.558),
        (0.670, 0.561),
    ],
    "JointOpt, a = 1": [(0.753, 0.710), (0.710, 0.581), (0.639, 0.555), (0.616, 0.562), (0.592, 0.575)],
    "DMVAE": [(0.723, 0.716), (0.688, 0.690), (0.666, 0.654), (0.561, 0.568)],
    "FOCAL (as released)": [(0.726, 0.725), (0.630, 0.683)],
}
