"""How the bundled models were pretrained."""
