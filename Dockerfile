# A container of the gateway. The first stage builds the published package, the second installs just that. Our tests do
# not build this file: there is no container engine where they run; they hold its versions and commands against ours.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /build
COPY . .
RUN npm ci && mkdir /packed && npm pack --pack-destination /packed

FROM node:24.21.0-bookworm-slim
COPY --from=build /packed /packed
RUN npm install --global /packed/*.tgz && npm cache clean --force && rm -r /packed \
  && install --directory --owner=node --group=node --mode=0700 /state
USER node
ENV SLUICE_STATE_DIR=/state
VOLUME /state
EXPOSE 18789
# The launcher becomes the gateway, which hears the signal itself: no init in between.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s CMD ["sluice", "health"]
ENTRYPOINT ["sluice"]
CMD ["gateway"]
