"""Model card of exported weights: a Markdown page generated from the measurements of the export."""
