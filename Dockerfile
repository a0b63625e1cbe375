# The agent, and the whole command line: `docker run causeway-agent status --connect HOST:PORT`.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY scripts ./scripts
RUN node scripts/setup.mjs
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY proto ./proto
RUN node scripts/build.mjs && npm prune --omit=dev --no-save

FROM node:20-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# gRPC reflection serves these.
COPY --from=build /app/proto ./proto
COPY bin ./bin
USER node
EXPOSE 7400 7500
ENTRYPOINT ["/app/bin/causeway"]
CMD ["--help"]
