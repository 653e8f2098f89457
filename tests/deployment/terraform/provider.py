"""A stand-in for the google provider: its schema, and nothing behind it.

Terraform checks a configuration against the provider's schema, which it asks a program for. Where that program cannot be downloaded,
this one answers instead: the schema is read from the TypeScript types of npm's @cdktf/provider-google, which are generated from the
provider (version 6.50.0). `terraform validate` and `terraform plan` then find unknown and missing arguments, wrong types, broken
references and counts that cannot be computed. What only Google knows (names, rights, quotas) they do not find.

GOOGLE_TYPES is the folder `lib` of that package.
"""

import base64
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import sys
import threading

import grpc
import msgpack
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import plugin_pb2 as pb
import plugin_pb2_grpc

UNKNOWN = msgpack.ExtType(0, b"\x00")
FIELD = re.compile(r"/\*\*((?:(?!\*/).)*?)\*/\s*readonly (\w+)(\??): ((?:\{.*?\}|[^;])+);", re.S)
GETTER = re.compile(r"^    get (\w+)\(\): (string|number|cdktf\.IResolvable|cdktf\.StringMap|string\[\]);", re.M)


def snake(name):
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match.group(1).lower(), name)


def interfaces(text):
    return {match.group(1): match.group(2) for match in re.finditer(r"export interface (\w+)[^{]*\{\n(.*?)^\}", text, re.S | re.M)}


def attribute_type(text):
    if text.startswith("{"):
        return ["map", "string"]
    simple = {"string": "string", "number": "number", "boolean": "bool"}
    word = text.split(" | ")[0].strip()
    if word.endswith("[]"):
        return ["list", simple[word[:-2]]]
    return simple[word]


def block(known, name, getters=()):
    out, seen = pb.Schema.Block(), set()
    for comment, field, optional, kind in FIELD.findall(known[name]):
        anchor = re.search(r"#(\w+) \w+#\w+\}", comment)
        snaked = anchor.group(1) if anchor else snake(field)
        seen.add(field)
        target = kind.split(" | ")[0].strip().removesuffix("[]")
        if target in known:
            many = "[]" in kind
            nested = out.block_types.add(type_name=snaked, nesting=pb.Schema.NestedBlock.LIST)
            if snaked == "timeouts":
                nested.nesting = pb.Schema.NestedBlock.SINGLE
            else:
                nested.min_items = 0 if optional else 1
                nested.max_items = 0 if many else 1
            nested.block.CopyFrom(block(known, target))
        else:
            out.attributes.add(
                name=snaked, type=json.dumps(attribute_type(kind)).encode(), required=not optional, optional=bool(optional),
                # Which of them the provider fills in is not in the types; that of `id` is known.
                computed=bool(optional) and snaked in ("id", "project"))
    for getter, kind in getters:
        if getter not in seen and not getter.endswith("Input") and getter != "fqn":
            kind = {"string": "string", "number": "number", "cdktf.IResolvable": "bool", "cdktf.StringMap": ["map", "string"],
                    "string[]": ["list", "string"]}[kind]
            out.attributes.add(name=snake(getter), type=json.dumps(kind).encode(), computed=True)
    return out


def schema(folder, data=False):
    text = folder.joinpath("index.d.ts").read_text()
    known = interfaces(text)
    config = next(name for name in known if name.endswith("Config") and f"export interface {name} extends cdktf.TerraformMetaArguments" in text
                  or name == "GoogleProviderConfig")
    # The getters of the resource itself: its class is the last of the file.
    own = text[text.rindex("export declare class"):]
    return pb.Schema(block=block(known, config, GETTER.findall(own)))


class Provider(plugin_pb2_grpc.ProviderServicer):
    def __init__(self, types):
        used = pathlib.Path(os.environ["USED_TYPES"]).read_text().split()
        self.schemas = pb.Schemas(provider=schema(types / "provider"))
        for name in used:
            data, _, resource = name.rpartition(":")
            folder = types / (("data-google-" if data else "") + resource.removeprefix("google_").replace("_", "-"))
            target = self.schemas.data_source_schemas if data else self.schemas.resource_schemas
            target[resource].CopyFrom(schema(folder))

    def GetSchema(self, request, context):
        return self.schemas

    def PrepareProviderConfig(self, request, context):
        return pb.Prepared(prepared_config=request.config)

    def ValidateResourceTypeConfig(self, request, context):
        return pb.Diagnostics()

    def ValidateDataSourceConfig(self, request, context):
        return pb.Diagnostics()

    def Configure(self, request, context):
        return pb.Diagnostics()

    def filled(self, value, block):
        """What the provider would compute is not known yet."""
        values = msgpack.unpackb(value.msgpack, strict_map_key=False)
        if values is None:
            return value
        for attribute in block.attributes:
            if attribute.computed and values.get(attribute.name) is None:
                values[attribute.name] = UNKNOWN
        return pb.DynamicValue(msgpack=msgpack.packb(values))

    def PlanResourceChange(self, request, context):
        block = self.schemas.resource_schemas[request.type_name].block
        return pb.Planned(planned_state=self.filled(request.proposed_new_state, block), legacy_type_system=True)

    def ReadDataSource(self, request, context):
        values = msgpack.unpackb(request.config.msgpack, strict_map_key=False)
        for attribute in self.schemas.data_source_schemas[request.type_name].block.attributes:
            if attribute.computed and values.get(attribute.name) is None:
                values[attribute.name] = "read" if json.loads(attribute.type) == "string" else None
        return pb.State(state=pb.DynamicValue(msgpack=msgpack.packb(values)))

    def Stop(self, request, context):
        return pb.Empty()


def certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
              .serial_number(x509.random_serial_number())
              .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=1))
              .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
              .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
              .sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, signed


def main():
    key, signed = certificate()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", 64 << 20)])
    plugin_pb2_grpc.add_ProviderServicer_to_server(Provider(pathlib.Path(os.environ["GOOGLE_TYPES"])), server)
    credentials = grpc.ssl_server_credentials([(key, signed.public_bytes(serialization.Encoding.PEM))])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    der = base64.b64encode(signed.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    print(f"1|5|tcp|127.0.0.1:{port}|grpc|{der}", flush=True)
    # Terraform ends the process; when Terraform itself was killed, this ends it.
    parent = os.getppid()
    while os.getppid() == parent:
        threading.Event().wait(1)
    server.stop(0)


if __name__ == "__main__":
    sys.exit(main())
