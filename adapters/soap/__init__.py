"""SOAP services behind the adapter contract: a WSDL's operations as JSON in, JSON out."""

from __future__ import annotations

from adapters.contract import Kind
from adapters.soap.adapter import SoapAdapter, build
from adapters.soap.config import Config

KIND = Kind("soap", Config, build)

__all__ = ["KIND", "Config", "SoapAdapter", "build"]
