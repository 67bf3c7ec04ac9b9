import pandas as pd
import pytest

from dssl.phenotypes.features import parse_feature_names

PARSED = {
    "Cells_AreaShape_Zernike_7_1": ("Cells", "", "AreaShape"),
    "Cells_Texture_SumAverage_Mito_5_0": ("Cells", "Mito", "Texture"),
    "Cells_Texture_Correlation_AGP_10_0": ("Cells", "AGP", "Texture"),
    "Nuclei_Granularity_1_RNA": ("Nuclei", "RNA", "Granularity"),
    "Cytoplasm_RadialDistribution_MeanFrac_ER_3of4": ("Cytoplasm", "ER", "RadialDistribution"),
    "Nuclei_Correlation_Manders_RNA_DNA": ("Nuclei", "DNA+RNA", "Correlation"),
    "Nuclei_Correlation_Manders_DNA_RNA": ("Nuclei", "DNA+RNA", "Correlation"),
    "Cells_Intensity_MeanIntensity_OrigBrightfield": ("Cells", "Brightfield", "Intensity"),
    "Cells_Intensity_MeanIntensity_CorrDNA": ("Cells", "DNA", "Intensity"),
    "Cells_Intensity_MeanIntensity_Ph_golgi": ("Cells", "AGP", "Intensity"),
    "Cells_Intensity_MeanIntensity_Syto": ("Cells", "RNA", "Intensity"),
    "Cells_Neighbors_NumberOfNeighbors_Adjacent": ("Cells", "", "Neighbors"),
    "Nucleoli_Texture_Gabor_RNA_5": ("Nucleoli", "RNA", "Texture"),
    "Image_Intensity_TotalIntensity_BFHigh": ("Image", "Brightfield", "Intensity"),
    "10007": ("", "", ""),
    "efficientnet_12": ("", "", ""),
    "my_mito_score": ("", "", ""),
    "Cells_Count": ("", "", ""),
}


@pytest.mark.parametrize("name", PARSED)
def test_parsed_name(name):
    assert tuple(parse_feature_names([name]).loc[name]) == PARSED[name]


def test_table_keeps_the_order_of_the_names():
    parsed = parse_feature_names(PARSED)
    assert parsed.index.tolist() == list(PARSED)
    assert parsed.columns.tolist() == ["compartment", "channel", "measurement"]
    assert list(parsed.itertuples(index=False, name=None)) == list(PARSED.values())


def test_no_names_give_an_empty_table():
    assert parse_feature_names([]).shape == (0, 3)


def test_every_intensity_of_a_real_table_has_exactly_one_stain(cell_injury):
    names = [name for name in pd.read_csv(cell_injury, nrows=0) if name.startswith(("Cells_", "Cytoplasm_", "Nuclei_"))]
    parsed = parse_feature_names(names)
    assert set(parsed["compartment"]) == {"Cells", "Cytoplasm", "Nuclei"}
    stained = parsed[parsed["measurement"].isin(["Intensity", "Texture", "RadialDistribution"])]
    assert set(stained["channel"]) == {"DNA", "ER", "RNA", "AGP", "Mito"}
    assert set(parsed.loc[parsed["measurement"] == "AreaShape", "channel"]) == {""}
