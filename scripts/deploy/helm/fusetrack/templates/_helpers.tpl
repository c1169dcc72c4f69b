{{- define "fusetrack.name" -}}
{{- printf "%s-fusetrack" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "fusetrack.labels" -}}
app.kubernetes.io/name: fusetrack
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "fusetrack.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "fusetrack.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: 60
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "fusetrack.security" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "fusetrack.redis" -}}
- name: FUSETRACK_REDIS
  valueFrom:
    secretKeyRef:
      name: {{ required "redis.existingSecret: name the secret that holds the address of Redis" .Values.redis.existingSecret }}
      key: {{ .Values.redis.key }}
{{- end -}}

{{- define "fusetrack.mounts" -}}
- name: site
  mountPath: /etc/fusetrack
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "fusetrack.volumes" -}}
- name: site
  secret:
    secretName: {{ include "fusetrack.name" . }}-site
- name: tmp
  emptyDir: {}
{{- end -}}

{{- /* Loading the networks takes a while: only after it is a sign of life expected. */ -}}
{{- define "fusetrack.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: watch
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet:
    path: /healthz
    port: watch
  periodSeconds: 15
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: {{ .ready }}
    port: watch
  periodSeconds: 10
  timeoutSeconds: 5
{{- end -}}
