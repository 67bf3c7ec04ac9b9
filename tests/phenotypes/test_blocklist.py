import numpy as np
import pandas as pd
from pycytominer import feature_select
from pycytominer.cyto_utils.blocklist import Blocklist

from dssl.phenotypes.blocklist import blocklisted


def test_the_features_that_pycytominer_drops_in_their_own_order():
    listed = Blocklist(blocklist_name="default").to_list()
    features = ["Cells_AreaShape_Area", *reversed(listed[:3]), "10007", listed[-1], "Nuclei_Correlation_Manders"]
    frame = pd.DataFrame(np.zeros((2, len(features))), columns=features)
    kept = feature_select(frame, features=features, operation="blocklist").columns
    assert blocklisted(features) == [feature for feature in features if feature not in kept]
    assert blocklisted(features) == [*reversed(listed[:3]), listed[-1]]


def test_nothing_listed():
    assert blocklisted(["10007", "x"]) == []
