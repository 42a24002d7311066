-- Title: A text with its placeholders filled in
-- Grain: scalar
-- Formula: <detail>, <more> and <measure> in the text are replaced by what is given; by nothing where that is empty
-- Caveats: For the texts of table `reason`. What is given may itself hold a placeholder, which is then filled in, too.
--   A tool of `exclusion`.
create or replace macro filled_text(words, detail, more, measure) as
    replace(
        replace(
            replace(words, '<detail>', coalesce(detail, '')),
            '<more>', coalesce(more, '')
        ),
        '<measure>', coalesce(measure, '')
    )
