"""Collections: index a folder, group by source, split."""
