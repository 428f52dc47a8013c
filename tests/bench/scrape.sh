#!/usr/bin/env bash
# Scrape latency beside node_exporter: see scrape.py.
exec python3 "$(dirname "$0")/scrape.py"
