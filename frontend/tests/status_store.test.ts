import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusStore } from "../src/kernel/status_store.ts";
import { FakeModel, settle } from "./fake_model.ts";

class PhaseStore extends StatusStore<string> {
  protected readonly statusEvent = "phase";
  protected override reset(): void {}
  override retry(): void {}
}

async function make() {
  const model = new FakeModel();
  const store = new PhaseStore(model.asModel);
  void store.fetchOverview();
  model.answer({ status: "new" });
  await settle();
  const happen = () => model.emit("msg:custom", { event: "phase" }, []);
  return { model, store, happen };
}

test("a refresh that newer ones supersede waits for their status", async () => {
  const { model, store, happen } = await make();
  happen(); // its request was sent before the command was handled
  const seen: (string | null)[] = [];
  void store.refreshStatus().then(() => seen.push(store.status));
  happen();
  happen();
  await settle();
  assert.deepEqual(model.kinds(), ["hello", "status"]);
  model.answer({ status: "new" });
  await settle();
  assert.deepEqual(seen, [], "the status is not known yet");
  model.answer({ status: "running" });
  await settle();
  assert.deepEqual(seen, ["running"]);
  assert.deepEqual(model.kinds(), ["hello", "status", "status"]);
  store.close();
});

test("a refresh ends when the store is closed", async () => {
  const { store, happen } = await make();
  happen();
  let ended = false;
  void store.refreshStatus().then(() => {
    ended = true;
  });
  happen();
  store.close();
  await settle();
  assert.equal(ended, true);
});

test("a refresh ends with the error of the kernel", async () => {
  const { model, store } = await make();
  const refreshed = store.refreshStatus();
  model.answer({ ok: false, error: "The disk is full." });
  await refreshed;
  assert.equal(store.problem, "The disk is full.");
  store.close();
});
