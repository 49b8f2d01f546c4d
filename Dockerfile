# syntax=docker/dockerfile:1

FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional ones are native variants of what there is in JavaScript, and a compiler that bull-board may check types with.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund && npm cache clean --force

# Node runs the TypeScript as it is: there is nothing to build.
FROM node:26-bookworm-slim
ENV NODE_ENV=production \
    ADMIN_HOST=0.0.0.0
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src

# The user `node` of the base image, by number, so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 8080 8081

HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ADMIN_PORT || 8081}/live`, { signal: AbortSignal.timeout(2500) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Exec form: signals reach Node itself, which drains on SIGTERM.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["gateway"]
