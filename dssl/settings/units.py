"""Units of doses, as people write them."""

# one name for each unit of concentration -> moles per litre in one of it
MOLAR = {"M": 1.0, "mM": 1e-3, "uM": 1e-6, "nM": 1e-9, "pM": 1e-12, "fM": 1e-15}
LOG10_MOLAR, MINUS_LOG10_MOLAR = "log10 M", "-log10 M"
IN_CELL = "in cell"
_PREFIXES = {"": "", "milli": "m", "micro": "u", "nano": "n", "pico": "p", "femto": "f"}
_SPELLINGS = (
    {unit: unit for unit in MOLAR}
    | {f"{short}{form}": f"{short}M" for short in _PREFIXES.values() for form in ("mol/L", "mol/l", "mol L-1")}
    | {f"{long}molar": f"{short}M" for long, short in _PREFIXES.items()}
    # LINCS writes um; as lengths nobody means them here
    | {"um": "uM", "nm": "nM", "Micromolar": "uM"}
    | {"log10 M": LOG10_MOLAR, "log10(M)": LOG10_MOLAR, "log10M": LOG10_MOLAR, "log M": LOG10_MOLAR}
    | {"-log10 M": MINUS_LOG10_MOLAR, "-log10(M)": MINUS_LOG10_MOLAR}
)
_MASS = ("g/", "g l", "g L")


def molar_unit(text: str) -> str:
    """One name of a unit of concentration: µM (either sign for micro), umol/L and micromolar are uM.

    Raises
    ------
    ValueError
        If the unit is a mass per volume, which cannot be converted without the molar mass, or is not known.
    """
    written = " ".join(text.replace("µ", "u").replace("μ", "u").split())
    unit = _SPELLINGS.get(written, IN_CELL if written == IN_CELL else None)
    if unit is not None:
        return unit
    if any(part in written for part in _MASS) or written == "%":
        raise ValueError(
            f"{text!r} is no molar unit: convert masses and percentages to M, mM, uM, nM or pM in the table"
        )
    raise ValueError(f"unknown unit; write one of {', '.join(MOLAR)}, '{LOG10_MOLAR}', '{MINUS_LOG10_MOLAR}'")
