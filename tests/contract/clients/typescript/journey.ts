// A customer's first program with the generated types: register, log in, save a workflow, run it, follow it, read it.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { auterity, type Schemas } from "./client.js";

const RUNNING: ReadonlySet<Schemas["ExecutionStatus"]> = new Set(["pending", "running"]);

/** The data of an answer that has to be a success. */
function sure<T>(answer: { data?: T; error?: Schemas["ErrorBody"]; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.url}: ${answer.response.status} ${answer.error?.error.message ?? ""}`);
  }
  return answer.data;
}

async function main(url: string): Promise<void> {
  const nobody = auterity(url);
  const email = `${randomUUID().slice(0, 13)}@example.com`;
  const password = "secure_password";
  sure(await nobody.POST("/api/auth/register", { body: { email, password, first_name: "John", last_name: "Doe" } }));
  const refused = await nobody.POST("/api/auth/login", { body: { email, password: "something else" } });
  const tokens = sure(await nobody.POST("/api/auth/login", { body: { email, password } }));
  if ("mfa_required" in tokens) {
    throw new Error("Nobody set up a second factor here.");
  }

  const client = auterity(url, tokens.access_token);
  const me = sure(await client.GET("/api/auth/me"));
  const saved = sure(
    await client.POST("/api/workflows", {
      params: { header: { "Idempotency-Key": randomUUID() } },
      body: {
        name: "Totals",
        definition: {
          nodes: [
            { id: "start", type: "start" },
            { id: "total", type: "data-transformation", config: { set: { total: "{{ inputs.price * 2 }}" } } },
          ],
          edges: [{ id: "e1", source: "start", target: "total" }],
        },
      },
    }),
  );

  const accepted = sure(
    await client.POST("/api/workflows/{workflow_id}/execute", {
      params: { path: { workflow_id: saved.id } },
      body: { input_data: { price: 21 }, execution_mode: "async" },
    }),
  );
  if (!("execution_id" in accepted)) throw new Error("an asynchronous run was awaited");
  const path = { execution_id: accepted.execution_id };
  const read = async () => sure(await client.GET("/api/workflows/executions/{execution_id}", { params: { path } }));
  let run = await read();
  for (const until = Date.now() + 30_000; RUNNING.has(run.status) && Date.now() < until; run = await read()) {
    await sleep(50);
  }

  const log = sure(await client.GET("/api/workflows/executions/{execution_id}/logs", { params: { path } }));
  const shown = sure(await client.GET("/api/workflows/{workflow_id}", { params: { path: { workflow_id: saved.id } } }));
  const listed = sure(await client.GET("/api/workflows", { params: { query: { page_size: 5, search: "Totals" } } }));
  const missing = await client.GET("/api/workflows/{workflow_id}", { params: { path: { workflow_id: randomUUID() } } });

  const told = {
    refused: refused.error?.error.code,
    email: me.email === email,
    status: run.status,
    output: run.output_data,
    steps: run.steps.map((step) => step.node_id),
    lines: log.total > 0,
    executions: shown.execution_stats.total_executions,
    listed: listed.workflows.map((each) => each.name),
    missing: missing.error?.error.code,
  };
  console.log(JSON.stringify(told));
}

await main(process.argv[2] ?? "http://localhost:8000");
