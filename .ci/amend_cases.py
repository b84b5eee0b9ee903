"""Amends the recorded cases where this API has more than the Python server had: amend_cases.py CASES > AMENDED.

A route that was not there is there now, and tokens say when they were issued. Everything else stays as recorded.
"""

import json
import sys

ADDED_ROUTES = {("POST", "/auth/logout")}


def is_recorded(step):
    request = step.get("request", {})
    return (request.get("method"), request.get("path")) not in ADDED_ROUTES


with open(sys.argv[1], encoding="utf-8") as file:
    scenarios = json.load(file)
for scenario in scenarios:
    scenario["steps"] = [step for step in scenario["steps"] if is_recorded(step)]
    for step in scenario["steps"]:
        if "expect_claims" in step:
            step["expect_claims"]["iat"] = "<unix+0>"
json.dump(scenarios, sys.stdout)
