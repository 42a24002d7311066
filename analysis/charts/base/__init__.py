"""What every chart is drawn with: theme, sizes of text, layout, intervals, and how it is written."""
