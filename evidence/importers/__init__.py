"""Readers of other people's files: what there is to import, in the order of the help.

An importer is a function ``read(file, into, *, dry_run, **options)`` that makes or extends the review folder
`into` and returns an `evidence.importers.draft.ImportReport`. It is imported when asked for; its options
stand in `evidence.commands.make.imports`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple


class Importer(NamedTuple):
    """One importer.

    Attributes
    ----------
    function : str
        ``module:function``.
    formats : str
        Files that it reads.
    help : str
        What it does: the help of its command.
    """

    function: str
    formats: str
    help: str

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)


_TABLE = "CSV, TSV, XLSX, Stata, Parquet"
IMPORTERS = {
    "arms": Importer(
        "evidence.importers.arms:import_arms",
        _TABLE,
        "Read a table with one row for each arm, for each contrast, or for each study.\n\n"
        "Columns with the field's usual names are recognised; what was understood is reported column by "
        "column.",
    ),
    "syrf": Importer(
        "evidence.importers.databases.syrf:import_syrf",
        "CSV, XLSX",
        "Read SyRF's quantitative data export, with its risk-of-bias answers.\n\n"
        "Reconciled rows count; every rule that was applied is in the report.",
    ),
    "revman": Importer(
        "evidence.importers.revman:import_revman",
        "ZIP, RM5, CSV, XLSX",
        "Read a Cochrane review: RevMan Web's ZIP as downloaded, its study data, RevMan 5 (.rm5, CSV).\n\n"
        "Risk of bias, characteristics, publications and footnotes come along. RevMan's own pooled results "
        "are printed beside ours, by the same method; what differs, or cannot be compared, is named.",
    ),
    "gemtc": Importer(
        "evidence.importers.network:import_gemtc",
        "XML, JSON",
        "Read a data file of GeMTC (XML or JSON).",
    ),
    "bugs": Importer(
        "evidence.importers.network:import_bugs",
        "BUGS lists, R dumps, tables",
        "Read the data of a BUGS or JAGS model: list(...), R's dput or dump, or a rectangular table.",
    ),
    "metapsy": Importer(
        "evidence.importers.databases.metapsy:import_metapsy",
        _TABLE,
        "Read a database in the Metapsy data standard; each instrument is an outcome.\n\n"
        "Change scores are outcomes of their own, effects calculated beforehand contrasts; moderators and "
        "judgements of RoB 2 are kept.",
    ),
    "metalab": Importer(
        "evidence.importers.databases.metalab:import_metalab",
        _TABLE,
        "Read a data set in MetaLab's layout: one effect a row, with its moderators.\n\n"
        "Two groups with means and SDs are arms; other designs give the effect size that was calculated "
        "beforehand.",
    ),
    "extraction": Importer(
        "evidence.importers.extraction:import_extraction",
        _TABLE,
        "Read a second extractor's measurements beside the first's.\n\n"
        "Nothing is overwritten; where the readings differ is listed, and measured by the views "
        "extraction_pair and extraction_agreement.",
    ),
    "robvis": Importer(
        "evidence.importers.appraisal.robvis:import_robvis",
        _TABLE,
        "Read risk-of-bias judgements of any known tool, or of the review's own.\n\n"
        "A study a row and an item a column (robvis, RevMan Web, Excel tools), with columns of support; or a "
        "judgement a row. Symbols and codes are those of the tool.",
    ),
    "prisma": Importer(
        "evidence.importers.flow:import_prisma",
        "CSV",
        "Read the numbers of a PRISMA 2020 flow diagram (PRISMA.csv of the PRISMA2020 package).",
    ),
    "references": Importer(
        "evidence.importers.references:import_references",
        "RIS, nbib, Web of Science text, EndNote XML, RefWorks' tags, BibTeX, CSV, XLSX",
        "Read references as records: RIS (Ovid, EndNote, Zotero, Cochrane ...), PubMed's nbib, Web of "
        "Science's text, EndNote's XML, RefWorks' tagged format, BibTeX, and tables of Scopus, Embase, "
        "PubMed, Lens, Zotero, Rayyan, Covidence, ASReview.\n\n"
        "Decisions that Rayyan or ASReview wrote into them are read as screening decisions at title and "
        "abstract, Covidence's reasons of exclusion as those at full text.",
    ),
    "duplicates": Importer(
        "evidence.importers.duplicates:confirm",
        _TABLE,
        "Propose records found twice, and mark those that a person has confirmed.\n\n"
        "With --propose, records of the same DOI, PMID or nearly the same title are written side by side, "
        "with what speaks against it. Fill in the column confirmed (yes or no) and call again with that "
        "FILE: confirmed ones get their duplicate_of; every answer is kept in record_pairs.csv and not asked "
        "again.",
    ),
    "retractions": Importer(
        "evidence.importers.retractions:import_retractions",
        _TABLE,
        "Read a list of retractions and corrections, such as Retraction Watch's.\n\n"
        "Kept in retractions.csv are the notices whose publication has the DOI or PMID of a report or "
        "record; nothing is matched by its title. The view retracted_study lists the studies; check, audit "
        "and the report name them.",
    ),
    "screening": Importer(
        "evidence.importers.screening:import_screening",
        _TABLE,
        "Read a table of screening decisions, such as ASReview's export.\n\n"
        "Reviewers are imported one after the other; SELECT * FROM screening_agreement shows how far they "
        "agree.",
    ),
}
"""Every importer, by the name of its command."""
