"""Features that are known to be noise in Cell Painting."""

from collections.abc import Sequence


def blocklisted(features: Sequence[str]) -> list[str]:
    """Those of `features` that stand on pycytominer's default CellProfiler blocklist, in their own order.

    The list is Way (2019), "Blocklist features - CellProfiler", doi 10.6084/m9.figshare.10255811.
    """
    from pycytominer.cyto_utils.blocklist import get_blocklist_features

    listed = frozenset(get_blocklist_features())
    return [feature for feature in features if feature in listed]
