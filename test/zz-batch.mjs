// quick: gateway + simulator-like upstream (bench upstream) + wrk
import { spawn } from 'node:child_process';
import { startRedis } from '../test/support/redis.ts';
import { startGateway } from '../test/support/gateway.ts';
import { createSimulator } from '../src/simulator/server.ts';
import { writeFileSync } from 'node:fs';
const sim = createSimulator({ models: ['m'] });
const { url } = await sim.listen('127.0.0.1', 0);
const L = { limits: { requests_per_minute: 900_000_000, tokens_per_minute: 900_000_000_000, max_concurrent: 100_000 }, quotas: [{ period: 'day', requests: 1_000_000_000, tokens: 1_000_000_000_000 }, { period: 'month', requests: 1_000_000_000, cost_usd: 1_000_000 }] };
const g = await startGateway({ config: { upstreams: [{ name: 'one', url }], models: [{ name: 'm', upstreams: ['one'] }] } });
const { key } = await g.createKey({ tenant: 'b', ...L });
const body = JSON.stringify({model:'m',max_tokens:1,messages:[{role:'user',content:'x'.repeat(500)}]});
writeFileSync('/tmp/wrk.lua', `wrk.method="POST" wrk.body=[[${body}]] wrk.headers["content-type"]="application/json" wrk.headers["authorization"]="Bearer ${key}"`);
const { execSync } = await import('node:child_process'); execSync('taskset -apc 0 '+g.process.pid); await new Promise(r => spawn('wrk', ['-t1','-c32','-d5','-s','/tmp/wrk.lua', g.url+'/v1/chat/completions'], {stdio:'inherit'}).on('exit', r));
const text = await (await fetch(g.adminUrl+'/metrics')).text();
console.log(text.split('\n').filter(l=>/admissions_total{|settlements_total{|redis_command_seconds_(count|sum)/.test(l)).join('\n'));
await g.stop(); await sim.close();
