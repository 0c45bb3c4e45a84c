"""The cases are the .json files beside this one."""

from slipswitch.testkit import cases

Cases = cases(__file__)
