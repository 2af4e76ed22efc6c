"""How the embedded models are made and measured: `python -m training.make`. Not part of the installed package."""
