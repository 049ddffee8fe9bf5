"""The race of ntl.py with a network without batch norm."""

from ntl import race

race("plain", 3)
