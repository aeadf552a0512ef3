"""The figway adapter of kind `beanstalk`; see README.md."""

from __future__ import annotations

from adapters.contract import Kind
from figway_beanstalk.adapter import build
from figway_beanstalk.config import Config

KIND = Kind("beanstalk", Config, build)
