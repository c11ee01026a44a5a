import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { KernelClient } from "../src/kernel/client.ts";
import { defineWidget, type RenderContext, type WidgetModel } from "../src/kernel/model.ts";
import { FakeModel } from "./fake_model.ts";

function makeWidget() {
  const model = new FakeModel();
  const createStore = (made: WidgetModel) => {
    const client = new KernelClient(made);
    return { client, close: () => client.close() };
  };
  const widget = defineWidget(createStore, () => ({ close: () => {} }))();
  const controller = new AbortController();
  widget.initialize({ model: model.asModel, signal: controller.signal });
  const open = () => widget.render({ model: model.asModel } as RenderContext<object>);
  return { model, open, controller };
}

test("a goodbye message is sent when no view was open for a minute", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { model, open } = makeWidget();
    const [closeFirst, closeSecond] = [open(), open()];
    closeFirst();
    mock.timers.tick(100_000);
    assert.deepEqual(model.kinds(), []);
    closeSecond();
    assert.deepEqual(model.kinds(), ["hidden"]);
    mock.timers.tick(59_000);
    const closeThird = open(); // as when a cell is moved
    mock.timers.tick(100_000);
    assert.deepEqual(model.kinds(), ["hidden"]);
    closeThird();
    mock.timers.tick(60_000);
    assert.deepEqual(model.kinds(), ["hidden", "hidden", "goodbye"]);
  } finally {
    mock.timers.reset();
  }
});

test("a closed model sends no messages", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { model, open, controller } = makeWidget();
    open()();
    controller.abort();
    mock.timers.tick(100_000);
    assert.deepEqual(model.kinds(), ["hidden"]);
  } finally {
    mock.timers.reset();
  }
});
