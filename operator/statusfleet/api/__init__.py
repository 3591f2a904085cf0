"""The manifest: models, loading, the one validator, and the CRD made of them."""

from statusfleet.api.applicability import not_applicable
from statusfleet.api.fleet import StatusFleet
from statusfleet.api.manifest import Manifest, fleet_problems, load_manifest, load_manifests
from statusfleet.api.problems import ManifestError, Problem

__all__ = [
    "Manifest",
    "ManifestError",
    "Problem",
    "StatusFleet",
    "fleet_problems",
    "load_manifest",
    "load_manifests",
    "not_applicable",
]
