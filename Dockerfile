# syntax=docker/dockerfile:1

# The version of Node that the lockfile pins, too. For a build that can be repeated to the byte add the digest of your
# registry's copy: --build-arg NODE_IMAGE=node:26.10.0-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:26.10.0-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional ones are native variants of what there is in JavaScript, and a compiler that bull-board may check types with.
# What serves compilers and debuggers alone is a third of it.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

# Node runs the TypeScript as it is: there is nothing to build.
FROM ${NODE_IMAGE}
LABEL org.opencontainers.image.title="Sluice" \
      org.opencontainers.image.description="OpenAI-compatible gateway cluster in front of GPU servers that you run yourself" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
ENV NODE_ENV=production \
    ADMIN_HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
# The lockfile is here for whoever lists what the image is made of: name, version, licence and checksum of every package.
COPY package.json package-lock.json LICENSE ./
COPY src ./src

# The user `node` of the base image, by number, so that Kubernetes can see that it is not root. It owns none of the files
# and writes none: the root file system may be read-only.
USER 1000:1000
# Public; admin of a gateway; admin of a worker.
EXPOSE 8080 8081 8082

# Of a gateway or a worker, whichever runs here.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "const ports = process.env.ADMIN_PORT ? [process.env.ADMIN_PORT] : [8081, 8082]; const ask = (port) => fetch(`http://127.0.0.1:${port}/live`, { signal: AbortSignal.timeout(2500) }).then((answer) => answer.ok || Promise.reject()); Promise.any(ports.map(ask)).then(() => process.exit(0), () => process.exit(1))"]

# Exec form: signals reach Node itself, which drains on SIGTERM.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["gateway"]
