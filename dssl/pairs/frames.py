"""Tables in the form in which AnnData writes and reads them unchanged."""

import pandas as pd


def storable(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a copy of obs or var that reading its file gives back unchanged.

    On writing, AnnData turns text with repeated or missing values into categories; doing it here means that the table
    in memory is the table in the file. Mixed columns become text, columns without any value become missing numbers,
    and categories are made anew, so that what was dropped before leaves no trace.
    """
    index = pd.Index(frame.index.astype(str).to_numpy(dtype=object), name=frame.index.name)
    columns = {str(name): _storable_column(frame[name]).set_axis(index) for name in frame.columns}
    return pd.DataFrame(columns, index=index)


def _storable_column(column: pd.Series) -> pd.Series:
    text_like = isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype) or column.dtype == object
    if not text_like:
        return column
    values = column.astype(object).infer_objects()
    if values.isna().all():
        return values.astype(float)
    if values.dtype != object:
        return values
    values = values.map(str, na_action="ignore")
    categories = pd.Categorical(values)
    return values if len(categories.categories) >= len(values) else pd.Series(categories, index=column.index)
