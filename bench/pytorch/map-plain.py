"""The race of map.py with a network without batch norm."""

from map import race

race("plain")
