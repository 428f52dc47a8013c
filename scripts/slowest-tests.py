#!/usr/bin/env python3
"""The ten slowest tests of the JUnit files in a directory, with their seconds."""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

COUNT = 10

found = []
for path in Path(sys.argv[1]).glob("*.xml"):
    for case in ElementTree.parse(path).iter("testcase"):
        found.append((float(case.get("time") or 0), case.get("classname", ""), case.get("name") or ""))
for seconds, group, name in sorted(found, reverse=True)[:COUNT]:
    print(f"{seconds:7.1f} s  {name if name.startswith(group) else f'{group}::{name}'}")
