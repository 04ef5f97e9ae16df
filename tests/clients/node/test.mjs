// Node's clients, unmodified: the older `pop-core` (RPC V1) and the current SDKs (ACS3).
// `AWAN_CLOUD` names the `cloud.json` of a running cloud; NODE_PATH leads to the packages, and
// NODE_EXTRA_CA_CERTS, which Node reads only when it starts, to the cloud's CA.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";

const require = createRequire(import.meta.url);
const { RPCClient } = require("@alicloud/pop-core");
const { Config } = require("@alicloud/openapi-core").$OpenApiUtil;
const Ram = require("@alicloud/ram20150501");
const Sts = require("@alicloud/sts20150401");

const path = process.env.AWAN_CLOUD;
const cloud = JSON.parse(readFileSync(path, "utf8"));
const root = JSON.parse(readFileSync(join(dirname(path), "root-key.json"), "utf8"));
const door = new URL(cloud.endpoints.api).host;
const unique = (prefix) => `${prefix}-${randomBytes(6).toString("hex")}`;

function popCore(scheme, apiVersion, secret = root.AccessKeySecret) {
  return new RPCClient({
    accessKeyId: root.AccessKeyId,
    accessKeySecret: secret,
    endpoint: `${scheme}://${door}`,
    apiVersion,
  });
}

function config(scheme, secret = root.AccessKeySecret) {
  return new Config({
    accessKeyId: root.AccessKeyId,
    accessKeySecret: secret,
    endpoint: door,
    protocol: scheme,
  });
}

for (const scheme of ["http", "https"]) {
  for (const method of ["GET", "POST"]) {
    test(`pop-core ${method} over ${scheme} signs in and changes things`, async () => {
      const sts = popCore(scheme, "2015-04-01");
      const identity = await sts.request("GetCallerIdentity", {}, { method });
      assert.equal(identity.AccountId, root.AccountId);

      const ram = popCore(scheme, "2015-05-01");
      const name = unique("node");
      const odd = "Siti (a)*'!~ +% & ü";
      const made = await ram.request("CreateUser", { UserName: name, DisplayName: odd }, { method });
      assert.equal(made.User.DisplayName, odd);
      const got = await ram.request("GetUser", { UserName: name }, { method });
      assert.equal(got.User.UserId, made.User.UserId);
      await ram.request("DeleteUser", { UserName: name }, { method });
    });
  }

  test(`pop-core over ${scheme} tells errors by code`, async () => {
    const ram = popCore(scheme, "2015-05-01");
    await assert.rejects(ram.request("GetUser", { UserName: "nobody" }), (error) => {
      assert.equal(error.code, "EntityNotExist.User");
      assert.ok(error.data.RequestId);
      return true;
    });
    const wrong = popCore(scheme, "2015-05-01", "wrong");
    await assert.rejects(wrong.request("ListUsers", {}), { code: "SignatureDoesNotMatch" });
  });

  test(`the current SDKs over ${scheme} sign in and change things`, async () => {
    const sts = new Sts.default(config(scheme));
    const identity = await sts.getCallerIdentity();
    assert.equal(identity.body.accountId, root.AccountId);

    const ram = new Ram.default(config(scheme));
    const name = unique("node");
    const odd = "Siti (a)*'!~ +% & ü";
    const made = await ram.createUser(
      new Ram.CreateUserRequest({ userName: name, displayName: odd }),
    );
    assert.equal(made.body.user.displayName, odd);
    const listed = await ram.listUsers(new Ram.ListUsersRequest({ maxItems: 1000 }));
    assert.ok(listed.body.users.user.some((user) => user.userName === name));
    await ram.deleteUser(new Ram.DeleteUserRequest({ userName: name }));
    await assert.rejects(ram.getUser(new Ram.GetUserRequest({ userName: name })), (error) => {
      assert.equal(error.code, "EntityNotExist.User");
      return true;
    });
  });

  test(`the current SDKs over ${scheme} are refused with a wrong secret`, async () => {
    const sts = new Sts.default(config(scheme, "wrong"));
    await assert.rejects(sts.getCallerIdentity(), { code: "SignatureDoesNotMatch" });
  });
}
