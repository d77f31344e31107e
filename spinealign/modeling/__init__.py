"""Networks: create, train, export, save."""
