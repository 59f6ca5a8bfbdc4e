"""Asks a URL with a client that retries, and prints what came of it as JSON."""

import json
import sys

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry


def retry():
    """As the documentation of both has it; without Retry-After it would try again at once."""
    return Retry(total=3, status_forcelist=[503], respect_retry_after_header=True)


def with_urllib3(url):
    response = urllib3.PoolManager().request("GET", url, retries=retry())
    return response.status, response.data.decode(), response.retries


def with_requests(url):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", HTTPAdapter(max_retries=retry()))
    response = session.get(url)
    return response.status_code, response.text, response.raw.retries


status, body, retries = {"urllib3": with_urllib3, "requests": with_requests}[sys.argv[1]](sys.argv[2])
before = [attempt.status for attempt in retries.history]
json.dump({"status": status, "body": body, "before": before}, sys.stdout)
