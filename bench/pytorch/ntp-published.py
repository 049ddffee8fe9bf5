"""The race of ntp.py with the terms of the published form in place of the simulated attacker."""

from ntp import OPTIONS, race

race(OPTIONS | {"attacker": "none", "alphaTarget": 0.1, "lambdaFisher": 100})
