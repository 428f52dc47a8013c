#!/usr/bin/env python3
"""The ten slowest tests of the JUnit files given, with their seconds."""

import sys
import xml.etree.ElementTree as ElementTree

COUNT = 10

found = []
for path in sys.argv[1:]:
    for case in ElementTree.parse(path).iter("testcase"):
        found.append((float(case.get("time") or 0), case.get("classname", ""), case.get("name")))
for seconds, group, name in sorted(found, reverse=True)[:COUNT]:
    print(f"{seconds:7.1f} s  {name if name.startswith(group) else f'{group}::{name}'}")
