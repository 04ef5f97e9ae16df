"""Agreements made and signed without any of the cloud's code: OCDS documents, and signed notes by `cryptography`."""

import base64
import datetime
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support import acs3, pe, send

ED25519 = b"\x01"


class NoteKey:
    """A key that signs notes (c2sp.org/signed-note)."""

    def __init__(self, name, seed=None):
        self.name = name
        self.private = Ed25519PrivateKey.from_private_bytes(seed) if seed else Ed25519PrivateKey.generate()
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]
        self.verifier = f"{name}+{self.id.hex()}+{base64.b64encode(ED25519 + public).decode()}"

    @classmethod
    def read(cls, path):
        """The form of Go's `note` package: `PRIVATE+KEY+name+id+base64`."""
        _, _, name, _, key = path.read_text().strip().split("+", 4)
        return cls(name, base64.b64decode(key)[1:])

    def line(self, text):
        signature = base64.b64encode(self.id + self.private.sign(text.encode())).decode()
        return f"\u2014 {self.name} {signature}"


class Awan:
    """Calls of product `awan`, parameters in a form: documents are too long for an address."""

    def __init__(self, cloud, key=None):
        self.cloud, self.key = cloud, key

    def send(self, action, **params):
        body = "&".join(f"{name}={pe(value)}" for name, value in params.items()).encode()
        headers, target = acs3(
            self.cloud,
            action,
            "2026-01-01",
            body=body,
            key=self.key,
            content_type="application/x-www-form-urlencoded",
        )
        return send(self.cloud, "http", headers, target, body)

    def __call__(self, action, **params):
        answer = self.send(action, **params)
        assert answer.status_code == 200, (action, answer.text)
        return answer.json()


def statement(document):
    """What both parties sign; the numbers of the document are integers, so that sorted keys are canonical."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return f"awan agreement release v1\n{document['ocid']}\n{document['id']}\n{digest}\n"


def template(cloud, account, tenant):
    answer = Awan(cloud)(
        "DescribeAgreementTemplate", AccountId=account, TenantName="Tenant", TenantKey=tenant.verifier
    )
    return json.loads(answer["Document"])


def tenant_key(cloud, account):
    return NoteKey(f"{cloud.log_origin}/tenant/{account}")


def root_key(account, tenant):
    """Parameters of `CreateAccountAccessKey`, signed by the tenant now."""
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = tenant.line(f"awan account key v1\n{account}\n{at}\n")
    return {"AccountId": account, "SignatureLine": line, "SignedAt": at}


def agree(cloud, account, tenant_api, document, tenant):
    """Submits, signs for both and activates; answers the release's ocid and id."""
    operator = Awan(cloud)
    which = {"Ocid": document["ocid"], "ReleaseId": document["id"]}
    text = statement(document)
    drafted = operator("CreateAgreement", AccountId=account, Document=json.dumps(document))
    assert drafted["Statement"] == text
    operator("SignAgreement", **which, SignatureLine=cloud.provider.line(text))
    signed = tenant_api("SignAgreement", **which, SignatureLine=tenant.line(text))
    assert signed["Provider"] and signed["Tenant"], signed
    operator("ActivateAgreement", **which)
    return which
