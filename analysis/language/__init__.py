"""The language of reports and figures: catalogues of their fixed texts, and how numbers are written."""
