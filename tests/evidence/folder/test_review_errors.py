"""Every error that a review folder can have: given -> what is said, where, and what would be right."""

from __future__ import annotations

import pytest

from evidence.errors import ReviewError
from evidence.review import read

MEASURED = "measurements.csv"


def problems_of(folder):
    with pytest.raises(ReviewError) as caught:
        read(folder)
    return caught.value.problems


def warnings_of(folder):
    return read(folder).warnings


def one(problems, **place):
    """Return the only problem at a place."""
    found = [p for p in problems if all(getattr(p, name) == value for name, value in place.items())]
    assert len(found) == 1, [str(p) for p in problems]
    return found[0]


def test_right_folder_has_no_problem(review_folder):
    assert warnings_of(review_folder()) == ()


# fmt: off
CELLS = [
    # file, line, text of the line, column, study, arm, message, remedy
    ("unknown treatment", "arms.csv", 2, "Li 2019,cells,BMSX,10", "treatment", "Li 2019", "cells",
     "unknown treatment 'BMSX'", "did you mean 'BMSC'?, or add it to treatments.csv"),
    ("trailing blank", "arms.csv", 2, "Li 2019,cells,BMSC ,10", "treatment", "Li 2019", "cells",
     "'BMSC ' has a blank at its beginning or end", "write 'BMSC'"),
    ("other case", "arms.csv", 2, "Li 2019,cells,bmsc,10", "treatment", "Li 2019", "cells",
     "unknown treatment 'bmsc'", "write 'BMSC': the two differ only by upper and lower case"),
    ("Cyrillic letter", "arms.csv", 2, "Li 2019,cells,BМSC,10", "treatment", "Li 2019", "cells",
     "unknown treatment", "write 'BMSC': the two differ only by the character cyrillic capital letter em"),
    ("zero width space", "arms.csv", 2, "Li 2019,cells,BM\u200bSC,10", "treatment", "Li 2019", "cells",
     "unknown treatment", "differ only by the character zero width space"),
    ("full width letters", "arms.csv", 2, "Li 2019,cells,ＢＭＳＣ,10", "treatment", "Li 2019", "cells",
     "unknown treatment", "write 'BMSC'"),
    ("two blanks", "arms.csv", 2, "Li  2019,cells,BMSC,10", "study", "Li  2019", "cells",
     "unknown study 'Li  2019'", "the two differ only by the blanks in it"),
    ("unknown study", MEASURED, 2, "Lee 2019,cells,alt,1,d,10,210,,10,,,,,,,,,,U/L,", "study", "Lee 2019", "cells",
     "unknown study 'Lee 2019'", "did you mean 'Li 2019'?, or add it to studies.csv"),
    ("unknown arm", MEASURED, 2, "Li 2019,cell,alt,1,d,10,210,,10,,,,,,,,,,U/L,", "arm", "Li 2019", "cell",
     "unknown arm 'cell' of this study's experiment 'main'", "did you mean 'cells'?, or add it to arms.csv"),
    ("unknown outcome", MEASURED, 2, "Li 2019,cells,ALT,1,d,10,210,,10,,,,,,,,,,U/L,", "outcome", "Li 2019", "cells",
     "unknown outcome 'ALT'", "write 'alt'"),
    ("unknown unit", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,,10,,,,,,,,,,u/l,", "unit", "Li 2019", "cells",
     "unknown unit 'u/l'", "write 'U/L': the two differ only by upper and lower case"),
    ("first word of a unit", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,,10,,,,,,,,,,fold,", "unit", "Li 2019", "cells",
     "unknown unit 'fold'", "did you mean 'fold change'?"),
    ("micro sign", MEASURED, 4, "Wu 2020,bm,alt,1,d,8,3.4,,0.2,,,,,,,,,,µkat/L,", "unit", "Wu 2020", "bm",
     "unknown unit 'µkat/L'", "write 'ukat/L'"),
    ("unit of another dimension", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,,10,,,,,,,,,,pg/mL,", "unit", "Li 2019",
     "cells", "'pg/mL' measures mass concentration; the outcome 'alt' is catalytic activity concentration in U/L",
     "correct the unit, or make it an outcome of its own"),
    ("fold change is no activity", MEASURED, 2, "Li 2019,cells,alt,1,d,10,2,,1,,,,,,,,,,fold change,", "unit",
     "Li 2019", "cells", "'fold change' measures fold change", "make it an outcome of its own"),
    ("time in litres", MEASURED, 2, "Li 2019,cells,alt,1,L,10,210,,10,,,,,,,,,,U/L,", "timepoint_unit", "Li 2019",
     "cells", "unknown unit of time 'L'", "one of 'a', 'd', 'h', 'min', 'mo', 's', 'wk'"),
    ("days spelt out", MEASURED, 2, "Li 2019,cells,alt,1,days,10,210,,10,,,,,,,,,,U/L,", "timepoint_unit", "Li 2019",
     "cells", "unknown unit of time 'days'", "did you mean 'd'?"),
    ("no unit of time", MEASURED, 2, "Li 2019,cells,alt,1,,10,210,,10,,,,,,,,,,U/L,", "timepoint_unit", "Li 2019",
     "cells", "the time point has no unit, others of this outcome have one", "write timepoint_unit"),
    ("n of zero", MEASURED, 2, "Li 2019,cells,alt,1,d,0,210,,10,,,,,,,,,,U/L,", "n", "Li 2019", "cells",
     "n is 0, it must be above 0", "correct it, or leave n empty"),
    ("negative n", "arms.csv", 2, "Li 2019,cells,BMSC,-10", "n", "Li 2019", "cells", "n is -10", "correct it"),
    ("negative sd", MEASURED, 3, "Li 2019,control,alt,1,d,10,350,-40,,,,,,,,,,,U/L,", "sd", "Li 2019", "control",
     "sd is -40, it must be at least 0", "correct it, or leave sd empty"),
    ("negative se", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,,-10,,,,,,,,,,U/L,", "se", "Li 2019", "cells",
     "se is -10, it must be at least 0", "correct it"),
    ("sd against se", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,10,10,,,,,,,,,,U/L,", "se", "Li 2019", "cells",
     "sd 10 and se 10 contradict each other: n = 10 makes se 3.162", "keep the one that the article prints"),
    ("sd against range", MEASURED, 3, "Li 2019,control,alt,1,d,10,350,400,,,,,300,420,,,,,U/L,", "sd", "Li 2019",
     "control", "sd 400 is impossible between min 300 and max 420: at most 63.77", "check sd, min and max"),
    ("events above n", MEASURED, 7, "Li 2019,cells,death,7,d,10,,,,,,,,,,,12,,,", "events", "Li 2019", "cells",
     "12 events among n = 10", "check events and n"),
    ("events above the arm's n", MEASURED, 8, "Li 2019,control,death,7,d,,,,,,,,,,,,16,,,", "events", "Li 2019",
     "control", "16 events among n = 10", "check events and n"),
    ("negative events", MEASURED, 7, "Li 2019,cells,death,7,d,10,,,,,,,,,,,-2,,,", "events", "Li 2019", "cells",
     "events is -2, it must be at least 0", "correct it"),
    ("half an event", MEASURED, 7, "Li 2019,cells,death,7,d,10,,,,,,,,,,,2.5,,,", "events", "Li 2019", "cells",
     "events is 2.5, not a whole number", "write the count, or say in adjusted or note why it is not whole"),
    ("rate without exposure", MEASURED, 9, "Xu 2021,cells,falls,7,d,,,,,,,,,,,,3,,,", "exposure", "Xu 2021", "cells",
     "a rate needs events and exposure, and exposure is missing", "give exposure"),
    ("exposure of zero", MEASURED, 9, "Xu 2021,cells,falls,7,d,,,,,,,,,,,,3,0,,", "exposure", "Xu 2021", "cells",
     "exposure is 0, it must be above 0", "correct it"),
    ("mean of a binary outcome", MEASURED, 7, "Li 2019,cells,death,7,d,10,0.2,,,,,,,,,,,,,", "events", "Li 2019",
     "cells", "the outcome's kind is binary, and the row has a mean or median but no events", "give events"),
    ("events of a continuous outcome", MEASURED, 2, "Li 2019,cells,alt,1,d,10,,,,,,,,,,,3,,,", "mean", "Li 2019",
     "cells", "the outcome is continuous, and the row has events but no mean or median", "give mean or median"),
    ("interval does not hold the mean", MEASURED, 6, "Wu 2020,control,alt,1,d,9,7.5,,,,,,,,5,6,,,ukat/L,", "ci_lower",
     "Wu 2020", "control", "the interval from 5 to 6 does not hold its mean 7.5", "check the three values"),
    ("interval upside down", MEASURED, 6, "Wu 2020,control,alt,1,d,9,5.5,,,,,,,,6,5,,,ukat/L,", "ci_lower", "Wu 2020",
     "control", "ci_lower 6 is above ci_upper 5", "check both values"),
    ("median below q1", MEASURED, 5, "Wu 2020,uc,alt,1,d,8,,,,2.1,2.5,3.9,2,5,,,,,ukat/L,", "q1", "Wu 2020", "uc",
     "q1 2.5 is above median 2.1", "check both values"),
    ("median above q3", MEASURED, 5, "Wu 2020,uc,alt,1,d,8,,,,4.1,2.5,3.9,2,5,,,,,ukat/L,", "median", "Wu 2020", "uc",
     "median 4.1 is above q3 3.9", "check both values"),
    ("minimum above q1", MEASURED, 5, "Wu 2020,uc,alt,1,d,8,,,,3.1,2.5,3.9,2.7,5,,,,,ukat/L,", "min", "Wu 2020", "uc",
     "min 2.7 is above q1 2.5", "check both values"),
    ("q3 above maximum", MEASURED, 5, "Wu 2020,uc,alt,1,d,8,,,,3.1,2.5,3.9,2,3.5,,,,,ukat/L,", "q3", "Wu 2020", "uc",
     "q3 3.9 is above max 3.5", "check both values"),
    ("mean below minimum", MEASURED, 3, "Li 2019,control,alt,1,d,10,350,40,,,,,360,500,,,,,U/L,", "min", "Li 2019",
     "control", "min 360 is above mean 350", "check both values"),
    ("mean above maximum", MEASURED, 3, "Li 2019,control,alt,1,d,10,350,20,,,,,250,340,,,,,U/L,", "mean", "Li 2019",
     "control", "mean 350 is above max 340", "check both values"),
    ("decimal comma", MEASURED, 4, 'Wu 2020,bm,alt,1,d,8,"3,4",,0.2,,,,,,,,,,ukat/L,', "mean", "Wu 2020", "bm",
     "'3,4' has a decimal comma", "write 3.4"),
    ("comma that could be either", MEASURED, 2, 'Li 2019,cells,alt,1,d,10,"1,210",,10,,,,,,,,,,U/L,', "mean", "Li 2019",
     "cells", "'1,210' has a comma: it could mean 1.210 or 1210", "write 1210 if the comma separates thousands"),
    ("thousands separators", MEASURED, 2, 'Li 2019,cells,alt,1,d,10,"1,234,567.8",,10,,,,,,,,,,U/L,', "mean", "Li 2019",
     "cells", "'1,234,567.8' has thousands separators", "write the number without them"),
    ("blank between thousands", MEASURED, 2, "Li 2019,cells,alt,1,d,10,1\u00a0210,,10,,,,,,,,,,U/L,", "mean", "Li 2019",
     "cells", "has thousands separators", "write the number without them"),
    ("dash for minus", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,−0.51,0.2,-0.9,-0.12", "estimate",
     "Xu 2021", None, "'−0.51' has a dash where a minus sign should be", "write -0.51"),
    ("bound", MEASURED, 2, "Li 2019,cells,alt,1,d,10,<5,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'<5' is a bound, not a value", "say it in note"),
    ("percent sign", MEASURED, 2, "Li 2019,cells,alt,1,d,10,21%,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'21%' has a percent sign", "write the number alone"),
    ("two statistics", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210 ± 10,,,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'210 ± 10' holds two statistics", "put each into its own column"),
    ("word", MEASURED, 2, "Li 2019,cells,alt,1,d,ten,210,,10,,,,,,,,,,U/L,", "n", "Li 2019", "cells",
     "'ten' is not a number", "write a number such as 3.5, or leave the cell empty"),
    ("nan", MEASURED, 2, "Li 2019,cells,alt,1,d,10,nan,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'nan' is not a number", "leave the cell empty"),
    ("infinity", MEASURED, 2, "Li 2019,cells,alt,1,d,10,inf,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'inf' is not a number", "leave the cell empty"),
    ("overflow", MEASURED, 2, "Li 2019,cells,alt,1,d,10,1e999,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "1e999 is too large for a number", "check the number of digits"),
    ("spreadsheet error", MEASURED, 2, "Li 2019,cells,alt,1,d,10,#DIV/0!,,10,,,,,,,,,,U/L,", "mean", "Li 2019", "cells",
     "'#DIV/0!' is not a number", "leave the cell empty"),
    ("arm without treatment", "arms.csv", 2, "Li 2019,cells,,10", "treatment", "Li 2019", "cells",
     "the cell is empty", "every row needs its treatment"),
    ("code where a value is needed", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,NR,0.2,-0.9,-0.12",
     "estimate", "Xu 2021", None, "'NR' where a value is needed", "every row needs its estimate"),
    ("duplicate arm", "arms.csv", 3, "Li 2019,cells,saline,10", None, "Li 2019", "cells",
     "the same study 'Li 2019', experiment 'main', arm 'cells' stands already in line 2", "keep one of the two"),
    ("look-alike arm", "arms.csv", 3, "Li 2019,Cells,saline,10", "arm", "Li 2019", "Cells",
     "'Cells' looks like 'cells': the two differ only by upper and lower case", "write 'cells' if it is the same"),
    ("look-alike treatment", "treatments.csv", 3, "BMSС,umbilical cord stem cells,active", "treatment", None, None,
     "looks like 'BMSC': the two differ only by the character cyrillic capital letter es", "told apart"),
    ("duplicate treatment", "treatments.csv", 3, "BMSC,umbilical cord stem cells,active", "treatment", None, None,
     "the same treatment 'BMSC' stands already in line 2", "keep one of the two"),
    ("duplicate study", "studies.csv", 3, "Li 2019,,2020,,rat,human", "study", "Li 2019", None,
     "the same study 'Li 2019' stands already in line 2", "keep one of the two"),
    ("duplicate measurement", MEASURED, 3, "Li 2019,cells,alt,1,d,10,350,40,,,,,,,,,,,U/L,", None, "Li 2019", "cells",
     "outcome 'alt', timepoint 1.0, timepoint_unit 'd', extractor 'extractor' stands already in line 2",
     "keep one of the two, or say in extractor who read which"),
    ("unknown role", "treatments.csv", 4, "saline,,placebo", "role", None, None, "unknown role 'placebo'",
     "one of 'active', 'control', 'sham'"),
    ("unknown kind", "outcomes.csv", 2, "alt,ALT,continous,U/L,true", "kind", None, None, "unknown kind 'continous'",
     "did you mean 'continuous'?"),
    ("neither true nor false", "outcomes.csv", 2, "alt,ALT,continuous,U/L,lower", "lower_is_better", None, None,
     "'lower' is neither true nor false", "write true or false"),
    ("year with a month", "studies.csv", 2, "Li 2019,Li et al. 2019,2019-05,,mouse,human", "year", "Li 2019", None,
     "'2019-05' is not a number", "write a number"),
    ("year that has not come", "studies.csv", 2, "Li 2019,Li et al. 2019,2081,,mouse,human", "year", "Li 2019", None,
     "year is 2081, which lies in the future", "correct it, or leave year empty"),
    ("year out of range", "studies.csv", 2, "Li 2019,Li et al. 2019,219,,mouse,human", "year", "Li 2019", None,
     "year is 219, it must be at least 1800", "correct it"),
    ("date the other way round", "searches.csv", 2, "PubMed,03/05/2022,liver failure,120", "date", None, None,
     "'03/05/2022' is not a date", "write it as year-month-day"),
    ("half a hit", "searches.csv", 2, "PubMed,2022-05-03,liver failure,120.5", "hits", None, None,
     "120.5 is not a whole number", "write a whole number"),
    ("arm against itself", "contrasts.csv", 2, "Xu 2021,survival,cells,cells,HR,-0.51,0.2,-0.9,-0.12", "arm_b",
     "Xu 2021", None, "arm_a and arm_b are both 'cells'", "name the two arms"),
    ("unknown arm of a contrast", "contrasts.csv", 2, "Xu 2021,survival,cells,placebo,HR,-0.51,0.2,-0.9,-0.12", "arm_b",
     "Xu 2021", None, "unknown arm 'placebo'", "one of 'cells', 'control', or add it to arms.csv"),
    ("measure of another kind", "contrasts.csv", 2, "Xu 2021,survival,cells,control,OR,-0.51,0.2,-0.9,-0.12", "measure",
     "Xu 2021", None, "OR is a measure for binary outcomes; 'survival' is time_to_event", "one of HR"),
    ("estimate outside its interval", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,0.51,0.2,-0.9,-0.12",
     "estimate", "Xu 2021", None, "the interval from -0.9 to -0.12 does not hold its estimate 0.51", "one scale"),
    ("ratio that is no logarithm", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,0.60,,0.41,0.89", "scale",
     "Xu 2021", None, "the HR looks like the ratio itself, not its logarithm", "write natural in the column scale"),
    ("ratio that may be a logarithm", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,1.05,,1.00,1.10", "scale",
     "Xu 2021", None, "the HR may be a ratio or its natural logarithm: nothing tells which",
     "natural for ratios as printed, log for logarithms"),
    ("neither estimate nor log-rank test", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,,0.2,,", "estimate",
     "Xu 2021", None, "the cell is empty", "or o_minus_e and variance"),
    ("se of zero", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,-0.51,0,-0.9,-0.12", "se", "Xu 2021", None,
     "se is 0, it must be above 0", "correct it"),
    ("unknown tool", "risk_of_bias.csv", 2, "Li 2019,Syrcle,1,unclear,", "tool", "Li 2019", None,
     "unknown tool 'Syrcle'", "write 'SYRCLE'"),
    ("unknown item", "risk_of_bias.csv", 2, "Li 2019,SYRCLE,11,unclear,", "item", "Li 2019", None,
     "SYRCLE has no item '11'", "one of '1', '10', '2'"),
    ("unknown judgement", "risk_of_bias.csv", 2, "Li 2019,SYRCLE,1,some concerns,", "judgement", "Li 2019", None,
     "'some concerns' is no judgement of SYRCLE", "one of 'low', 'unclear', 'high'"),
    ("unknown record", "screening.csv", 2, "r9,title_abstract,AB,include,", "record", None, None,
     "unknown record 'r9'", "add it to records.csv"),
    ("duplicate of itself", "records.csv", 3, "r2,Embase 2022-05-03,10.1/a,A,r2,", "duplicate_of", None, None,
     "the record is a duplicate of itself", "name the record that was kept"),
    ("unknown decision", "screening.csv", 2, "r1,title_abstract,AB,included,", "decision", None, None,
     "unknown decision 'included'", "did you mean 'include'?"),
    ("unknown box", "flow.csv", 2, "database_result,218,", "box", None, None, "unknown box 'database_result'",
     "did you mean 'database_results'?"),
    ("too many cells", MEASURED, 4, "Wu 2020,bm,alt,1,d,8,3,4,,0,2,,,,,,,,,,ukat/L,", None, None, None,
     "the row has 22 cells, the header has 20", "a decimal comma or a comma in a text splits a cell"),
    ("too few cells", MEASURED, 4, "Wu 2020,bm,alt,1,d,8,3.4", None, None, None,
     "the row has 7 cells, the header has 20", "give every column its comma"),
    ("quote inside a cell", "studies.csv", 2, 'Li 2019,"Li "et al. 2019,2019,,mouse,human', None, None, None,
     "the row cannot be read as CSV", "double every"),
]
# fmt: on


@pytest.mark.parametrize(
    ("file", "line", "text", "column", "study", "arm", "message", "remedy"),
    [case[1:] for case in CELLS],
    ids=[case[0] for case in CELLS],
)
def test_error_of_a_row(edited, file, line, text, column, study, arm, message, remedy):
    found = one(problems_of(edited(file, line, text)), file=file, line=line, column=column)
    assert (found.study, found.arm) == (study, arm)
    assert message in found.message
    assert remedy in found.remedy


# fmt: off
HEADERS = [
    ("unknown column", MEASURED, "mean", "average", "average", "measurements.csv has no column 'average'", ""),
    ("column of another tool", MEASURED, ",sd,", ",std.dev,", "std.dev", "measurements.csv has no column 'std.dev'",
     "rename it to 'sd'"),
    ("misspelt column", MEASURED, "timepoint_unit", "timepoint_units", "timepoint_units", "has no column",
     "did you mean 'timepoint_unit'?"),
    ("capital letters", "studies.csv", "species", "Species", "Species", "studies.csv has no column 'Species'",
     "write 'species': the two differ only by upper and lower case"),
    ("missing column", "arms.csv", "treatment", "given", "treatment", "the column 'treatment' is missing", "add it"),
    ("column twice", MEASURED, ",sd,", ",mean,", "mean", "the column is given twice", "keep one of the two"),
    ("column without a name", MEASURED, ",sd,", ",,", None, "column 8 has no name", "name it, or delete it"),
]
# fmt: on


@pytest.mark.parametrize(
    ("file", "old", "new", "column", "message", "remedy"),
    [case[1:] for case in HEADERS],
    ids=[case[0] for case in HEADERS],
)
def test_error_of_a_header(review_folder, file, old, new, column, message, remedy):
    text = (review_folder() / file).read_text(encoding="utf-8")
    found = one(
        problems_of(review_folder({file: text.replace(old, new, 1)})), file=file, line=1, column=column
    )
    assert message in found.message
    assert remedy in found.remedy


# fmt: off
FILES = [
    ("semicolons", "arms.csv", b"study;arm;treatment;n\nLi 2019;cells;BMSC;10\n", 1,
     "the columns are separated by semicolons", "separate them by commas"),
    ("tabs", "arms.csv", b"study\tarm\ttreatment\tn\n", 1, "the columns are separated by tabs", "separate them by commas"),
    ("Windows-1252", "studies.csv", "study,label\nLi 2019,Müller\n".encode("cp1252"), 2,
     "the file is not UTF-8: byte 0xfc (read as Windows-1252: 'Li 2019,Müller')", "save it as 'CSV UTF-8'"),
    ("UTF-16", "studies.csv", "study,label\nLi 2019,Li\n".encode("utf-16"), None, "the file is UTF-16, not UTF-8",
     "save it as 'CSV UTF-8'"),
    ("empty", "outcomes.csv", b"", 1, "the file is empty", "give it a header line, or delete it"),
    ("blank", "outcomes.csv", b"\n \n", 1, "the file is empty", "give it a header line, or delete it"),
    ("quote that never ends", "arms.csv", b'study,arm,treatment,n\n"Li 2019,cells,BMSC,10\n', 2,
     "a quotation mark is opened and never closed", "delete it, or close it"),
    ("not TOML", "review.toml", b"title = Stem cells\n", 1, "the file is not TOML", 'write texts between two "'),
    ("no title", "review.toml", b'question = "Q"\n', None, "the review has no title", 'write `title = "..."`'),
    ("unknown key", "review.toml", b'title = "T"\nqestion = "Q"\n', 2, "review.toml has no key 'qestion'",
     "did you mean 'question'?"),
    ("wrong type", "review.toml", b'title = "T"\nsynthetic = "yes"\n', 2, "synthetic of review.toml is 'yes'",
     "it must be true or false"),
    ("unknown key of the protocol", "review.toml", b'title = "T"\n[protocol]\nrefrence = "saline"\n', 3,
     "[protocol] has no key 'refrence'", "did you mean 'reference'?"),
    ("misspelt file", "measurement.csv", b"study\n", None, "a review folder has no 'measurement.csv'",
     "rename it to 'measurements.csv'"),
    ("second of two", "mesurements.csv", b"study\n", None, "looks like 'measurements.csv', which is there too",
     "put its rows into 'measurements.csv'"),
    ("workbook", "report.xlsx", b"PK", None, "a review folder has no 'report.xlsx'",
     "save it as 'reports.csv' (CSV UTF-8)"),
]
# fmt: on


@pytest.mark.parametrize(
    ("file", "content", "line", "message", "remedy"),
    [case[1:] for case in FILES],
    ids=[case[0] for case in FILES],
)
def test_error_of_a_file(review_folder, file, content, line, message, remedy):
    left_out = {MEASURED: None} if file == "measurement.csv" else {}
    found = one(problems_of(review_folder({file: content, **left_out})), file=file)
    assert found.line == line
    assert message in found.message
    assert remedy in found.remedy


@pytest.mark.parametrize("name", ["notes.csv", "measurements.xlsx", "figure 2.tsv"])
def test_a_table_that_is_no_part_of_the_folder_is_named_and_left_alone(review_folder, name):
    warnings = warnings_of(review_folder({name: b"a,b\n1,2\n"}))
    assert [w.message for w in warnings if w.file == name] == [
        f"{name} is not a file of a review folder, and was not read"
    ]


def test_an_unknown_treatment_of_an_arm_is_no_error_of_the_plan_that_nobody_wrote(review_folder):
    arms = "study,arm,treatment,n\nA,a,BMSC,5\nA,b,saline,5\nB,a,BMSCs,5\nB,b,saline,5\n"
    problems = problems_of(review_folder({"arms.csv": arms.encode()}))
    assert "review.toml" not in {problem.file for problem in problems}


@pytest.mark.parametrize("file", ["studies.csv", "arms.csv", "treatments.csv", "outcomes.csv", "review.toml"])
def test_a_required_file_is_missing(review_folder, file):
    found = one(problems_of(review_folder({file: None})), file=file)
    assert f"the review folder has no {file}" in found.message


ANALYSIS = 'title = "T"\n[[protocol.analysis]]\nname = "a"\noutcome = "alt"\n'


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ('outcome = "ALT"', "names the unknown outcome 'ALT'", "write 'alt'"),
        (
            'outcome = "alt"\nmeasure = "OR"',
            "OR is a measure for binary outcomes, 'alt' is continuous",
            "one of MD",
        ),
        ('outcome = "alt"\nmeasure = "WMD"', "unknown measure 'WMD'", "one of 'HR'"),
        (
            'outcome = "alt"\nkind = "pairwise"\ntreatment = "BMSC"',
            "is pairwise and has no versus",
            "write `versus",
        ),
        (
            'outcome = "alt"\ntreatment = "BMSC"\nversus = "salin"',
            "unknown versus 'salin'",
            "did you mean 'saline'?",
        ),
        (
            'outcome = "alt"\nengine = "bayes"',
            "engine is 'bayes'",
            "one of 'counts', 'exact', 'frequentist', 'mcmc'",
        ),
        ('outcome = "alt"\nmodel = "fixed"', "model is 'fixed'", "one of"),
        (
            'outcome = "alt"\ntimepoint = "final"',
            "timepoint is 'final'",
            "first, last, a time with its unit (24 h), or nearest:24 h",
        ),
        ('outcome = "alt"\ntreatments = ["BMSC", "MSC"]', "unknown treatment 'MSC'", "did you mean"),
        ('outcome = "alt"\nseed = 1.5', "seed of analysis", "it must be a whole number"),
        (
            'outcome = "alt"\nleave_one_ot = true',
            "has no key 'leave_one_ot'",
            "did you mean 'leave_one_out'?",
        ),
        ('kind = "network"', "has no outcome", "write `outcome"),
        (
            'outcome = "alt"\neffect_prior_sd = -1.0',
            "effect_prior_sd must be above 0",
            "write a positive number",
        ),
    ],
)
def test_error_of_a_planned_analysis(review_folder, text, message, remedy):
    toml = f'title = "T"\n[[protocol.analysis]]\nname = "main"\n{text}\n'
    found = one(problems_of(review_folder({"review.toml": toml})), file="review.toml")
    assert message in found.message
    assert remedy in found.remedy


def test_two_analyses_of_one_name(review_folder):
    found = one(problems_of(review_folder({"review.toml": ANALYSIS + ANALYSIS.partition("\n")[2]})))
    assert "two analyses are called 'a'" in found.message


def test_all_errors_come_in_one_pass(review_folder):
    folder = review_folder(
        {
            "arms.csv": "study,arm,treatment,n\nLi 2019,cells,BMSX,0\nLi 2019,cells,saline,10\n",
            MEASURED: 'study,arm,outcome,mean,sd,sd2\nLi 2019,cells,alt,"3,5",-1,\nLi 2019,none,alt,NaN,1,\n',
            "contrasts.csv": None,
            "review.toml": 'tittle = "T"\n',
        }
    )
    problems = problems_of(folder)
    assert len(problems) == 10
    assert [p.file for p in problems] == ["review.toml"] * 2 + ["arms.csv"] * 3 + [MEASURED] * 5
    with pytest.raises(ReviewError) as caught:
        read(folder)
    text = str(caught.value)
    assert text.splitlines()[0] == "liver cannot be built: 10 errors."
    assert "arms.csv:2 (study 'Li 2019', arm 'cells', column 'n'): n is 0, it must be above 0" in text


def test_unknown_name_is_told_once_with_all_its_lines(review_folder):
    text = (review_folder() / MEASURED).read_text(encoding="utf-8").replace("alt,1,d", "ast,1,d")
    found = one(problems_of(review_folder({MEASURED: text})))
    assert found.message == "unknown outcome 'ast' (also in lines 3, 4, 5, 6)"


def test_contrast_the_other_way_round(edited):
    row = "Xu 2021,survival,cells,control,HR,-0.51,0.2,-0.9,-0.12"
    other = "Xu 2021,survival,control,cells,HR,0.51,0.2,0.12,0.9"
    found = one(problems_of(edited("contrasts.csv", 2, f"{row}\n{other}")))
    assert (found.line, found.message) == (3, "the same two arms stand the other way round in line 2")


def test_a_consensus_spelt_otherwise_is_no_further_assessor(review_folder):
    text = "study,tool,item,judgement,assessor\nLi 2019,SYRCLE,1,low,JM\nLi 2019,SYRCLE,1,high,Consensus\n"
    found = one(problems_of(review_folder({"risk_of_bias.csv": text})))
    assert (found.line, found.column, found.remedy) == (3, "assessor", "write 'consensus'")


HEADER = "study,outcome,arm_a,arm_b,measure,scale,estimate,se,se_scale,ci_lower,ci_upper,o_minus_e,variance\n"


@pytest.mark.parametrize(
    ("row", "column", "message", "remedy"),
    [
        (
            "HR,natural,-0.5,,,-0.9,-0.1,,",
            "estimate",
            "estimate is -0.5, and a ratio is above 0",
            "write log",
        ),
        (
            "HR,natural,0.6,0.2,,,,,",
            "se_scale",
            "may be that of the ratio or of its logarithm",
            "in se_scale",
        ),
        ("HR,,,,,,,-4.2,", "variance", "variance is missing", "give variance"),
        ("HR,natural,0,0.2,log,,,,", "estimate", "estimate is 0, and a ratio is above 0", "check"),
        ("HR,ln,-0.5,0.2,,,,,", "scale", "unknown scale 'ln'", "log"),
    ],
)
def test_a_contrast_that_contradicts_its_scale(review_folder, row, column, message, remedy):
    found = problems_of(review_folder({"contrasts.csv": f"{HEADER}Xu 2021,survival,cells,control,{row}\n"}))
    assert any(p.column == column and message in p.message and remedy in p.remedy for p in found), found
    assert all(p.line == 2 for p in found)


def test_logarithms_and_log_rank_tests_need_no_scale(review_folder):
    rows = "".join(
        f"Xu 2021,survival,{a},{b},HR,{rest}\n"
        for a, b, rest in (
            ("cells", "control", ",-0.51,,,-0.9,-0.12,,"),
            ("cells", "control", ",,,,,,-4.2,10"),
        )
    )
    read(review_folder({"contrasts.csv": HEADER + rows.splitlines()[0] + "\n"}))
    read(review_folder({"contrasts.csv": HEADER + rows.splitlines()[1] + "\n"}))


def test_measurements_of_an_experiment_or_study_without_arms(review_folder):
    folder = review_folder(
        {
            "studies.csv": "study\nLi 2019\nWu 2020\n",
            "arms.csv": "study,arm,treatment,n\nLi 2019,a,BMSC,9\nLi 2019,b,saline,9\n",
            MEASURED: "study,experiment,arm,outcome,mean,sd\nLi 2019,second,a,alt,1,1\nWu 2020,main,a,alt,1,1\n",
            **dict.fromkeys(("contrasts.csv", "risk_of_bias.csv", "records.csv", "screening.csv")),
        }
    )
    problems = problems_of(folder)
    assert [(p.line, p.column, p.message) for p in problems] == [
        (2, "experiment", "unknown experiment 'second' of this study"),
        (3, "arm", "the study has no arm in arms.csv"),
    ]


def test_the_same_time_in_two_units(edited):
    row = "Li 2019,cells,death,7,d,10,,,,,,,,,,,2,,,"
    found = one(problems_of(edited(MEASURED, 7, f"{row}\nLi 2019,cells,death,1,wk,10,,,,,,,,,,,3,,,")))
    assert (found.line, found.message) == (8, "1 wk is the time point of line 7 in another unit")


def test_level_of_confidence_in_percent(review_folder):
    text = "study,outcome,arm_a,arm_b,measure,estimate,ci_lower,ci_upper,ci_level\n"
    folder = review_folder(
        {"contrasts.csv": text + "Xu 2021,survival,cells,control,HR,-0.51,-0.9,-0.12,95\n"}
    )
    found = one(problems_of(folder))
    assert (found.message, found.remedy) == ("ci_level is 95, it must be below 1", "write 0.95")


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("furlong,length,-3", "factor is -3, it must be above 0"),
        ("U/L,catalytic activity concentration,2", "the unit 'U/L' is known already"),
    ],
)
def test_wrong_unit_of_the_review(review_folder, unit, message):
    folder = review_folder({"units.csv": f"unit,dimension,factor\n{unit}\n"})
    assert message in one(problems_of(folder)).message


# fmt: off
WARNINGS = [
    ("byte order mark", "arms.csv", None, None, None, "the file begins with a byte order mark"),
    ("half an animal", MEASURED, 2, "Li 2019,cells,alt,1,d,9.5,210,,10,,,,,,,,,,U/L,", "n", "n is 9.5, not a whole"),
    ("imputed events", MEASURED, 7, "Li 2019,cells,death,7,d,10,,,,,,,,,,,2.5,,,imputed", "events", "events is 2.5"),
    ("sd of zero", MEASURED, 3, "Li 2019,control,alt,1,d,10,350,0,,,,,,,,,,,U/L,", "sd", "sd is 0"),
    ("unit forgotten", MEASURED, 2, "Li 2019,cells,alt,1,d,10,210,31.6,10,,,,,,,,,,,", "unit",
     "the row has no unit, others of 'alt' say U/L"),
    ("one quartile", MEASURED, 5, "Wu 2020,uc,alt,1,d,8,,,,3.1,2.5,,2,5,,,,,ukat/L,", "q3", "q1 is given without q3"),
    ("level written two ways", "studies.csv", 3, "Wu 2020,,2020,controlled experiment,Mouse,human", "species",
     "'Mouse' looks like 'mouse' in another study"),
    ("text encoded twice", "studies.csv", 2, "Li 2019,MÃ¼ller,2019,controlled experiment,mouse,human", "label",
     "encoded twice"),
    ("study without an arm", "studies.csv", 4, "Xu 2021,,2021,controlled experiment,mouse,NR\nYu 2022,,2022,,,", None,
     "the study has no arm"),
    ("printed interval", "published_estimates.csv", 2,
     "Ma 2023,alt,cells,control,MD,pairwise,-1.05,-191.71,-170.39,true", "estimate", "does not hold its estimate"),
    ("contrast without error", "contrasts.csv", 2, "Xu 2021,survival,cells,control,HR,-0.51,,,", "se",
     "neither se nor an interval"),
]
# fmt: on


@pytest.mark.parametrize(
    ("file", "line", "text", "column", "message"),
    [case[1:] for case in WARNINGS],
    ids=[case[0] for case in WARNINGS],
)
def test_warning(review_folder, edited, file, line, text, column, message):
    if line is None:
        content = (review_folder() / file).read_bytes()
        folder = review_folder({file: b"\xef\xbb\xbf" + content})
    else:
        folder = edited(file, line, text)
    found = one(warnings_of(folder), file=file, column=column)
    assert message in found.message


def test_arm_alone_in_its_study(review_folder):
    folder = review_folder(
        {
            "arms.csv": "study,arm,treatment,n\nLi 2019,cells,BMSC,10\nWu 2020,a,BMSC,8\nWu 2020,b,saline,8\n"
            "Xu 2021,a,BMSC,8\nXu 2021,b,saline,8\n",
            MEASURED: None,
            "contrasts.csv": None,
        }
    )
    found = one(warnings_of(folder))
    assert (found.file, found.line, found.study, found.arm) == ("arms.csv", 2, "Li 2019", "cells")
    assert "the only arm of the study's experiment 'main'" in found.message


def test_outcome_without_the_unit_of_its_measurements(review_folder):
    outcomes = (review_folder() / "outcomes.csv").read_text(encoding="utf-8").replace("U/L", "")
    measurements = (review_folder() / MEASURED).read_text(encoding="utf-8").replace("ukat/L", "U/L")
    found = one(warnings_of(review_folder({"outcomes.csv": outcomes, MEASURED: measurements})))
    assert found.message == "the outcome has no unit, its measurements are in U/L"
    assert found.remedy == "give the outcome the unit U/L"


def test_values_outside_the_outcomes_bounds(review_folder):
    text = (review_folder() / "outcomes.csv").read_text(encoding="utf-8")
    text = text.replace("lower_is_better\n", "lower_is_better,lower_bound,upper_bound\n", 1)
    text = text.replace("true\n", "true,,\n").replace("U/L,true,,", "U/L,true,0,300", 1)
    found = one(warnings_of(review_folder({"outcomes.csv": text})))
    assert (found.line, found.message) == (3, "mean 350 is outside the outcome's possible values")


def test_other_tables_in_the_folder_are_named(review_folder):
    found = one(warnings_of(review_folder({"extraction form.csv": "a;b\n"})))
    assert found.message == "extraction form.csv is not a file of a review folder, and was not read"
