"""From composed words to frozen dataclasses; every rule of precedence."""
