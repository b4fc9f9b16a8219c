"""How the pair that ships was made and measured. Not installed; the package never imports it."""
