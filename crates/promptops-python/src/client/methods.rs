//! The methods that both clients have.

/// The methods of the document, in its order, with its parameters and defaults.
macro_rules! methods {
    ($class:ident { $($more:tt)* }) => {
        impl $class {
            fn core(&self) -> PyResult<&Core> {
                self.0.get().ok_or_else(|| {
                    let reason = "this client was not initialised: an initialiser of a subclass calls \
                                  super().__init__(...)";
                    PyRuntimeError::new_err(reason)
                })
            }
        }

        #[pymethods]
        impl $class {
            /// A subclass has an initialiser of its own, whose arguments these are.
            #[new]
            #[pyo3(signature = (*_arguments, **_named), text_signature = "(config=None, base_url=None, api_key=None, timeout=None, cache=None, telemetry=None, *, secret_key=None, project=None, retry=None)")]
            fn new(
                _arguments: &Bound<'_, PyTuple>,
                _named: Option<&Bound<'_, PyDict>>,
            ) -> Self {
                Self(OnceLock::new())
            }

            #[pyo3(signature = (config = None, base_url = None, api_key = None, timeout = None, cache = None, telemetry = None, *, secret_key = None, project = None, retry = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn __init__(
                &self,
                py: Python<'_>,
                config: Option<&Bound<'_, PyAny>>,
                base_url: Option<String>,
                api_key: Option<String>,
                timeout: Option<f64>,
                cache: Option<&Bound<'_, PyAny>>,
                telemetry: Option<&Bound<'_, PyAny>>,
                secret_key: Option<String>,
                project: Option<String>,
                retry: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<()> {
                let given = Given {
                    config, base_url, api_key, timeout, cache, telemetry, secret_key, project, retry,
                };
                let core = Core::new(py, config::settings(py, given)?)?;
                self.0.set(core).map_err(|_| PyRuntimeError::new_err("a client is initialised once"))
            }

            #[pyo3(signature = (prompt_id, version = None, use_cache = true, project_id = None, *, key = None, fallback = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn get_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                use_cache: bool,
                project_id: Option<&str>,
                key: Option<&str>,
                fallback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Object> {
                let core = self.core()?;
                if use_cache
                    && let Some(own) = core.own()
                    && let Some(found) = own.cached_prompt(prompt_id, version, project_id, key)
                {
                    return Self::at_once(py, core.object(py, found)?);
                }
                Self::coroutine(py, || {
                    let rust = core.client(py)?;
                    let request = with!(
                        rust.get_prompt(prompt_id).use_cache(use_cache),
                        version = version, project = project_id, key = key,
                    );
                    let request = match fallback {
                        Some(fallback) => request.fallback(self::fallback(py, fallback)?),
                        None => request,
                    };
                    match request.at_once() {
                        Ok(found) => {
                            let found = found.map_err(|error| raised(py, &error))?;
                            Self::at_once(py, Bound::new(py, PromptResponse(found))?.into_any())
                        }
                        Err(begun) => Self::finish(py, begun, prompt),
                    }
                })
            }

            #[pyo3(signature = (prompt_id, variables, version = None, model_provider = None, model_name = None, use_cache = true, project_id = None, *, strict = false, key = None, fallback = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn render_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                variables: &Bound<'_, PyAny>,
                version: Option<&str>,
                model_provider: Option<&Bound<'_, PyAny>>,
                model_name: Option<&str>,
                use_cache: bool,
                project_id: Option<&str>,
                strict: bool,
                key: Option<&str>,
                fallback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    let variables = self::variables(py, variables)?;
                    let request = with!(
                        rust.render_prompt(prompt_id, ()).variables(variables).use_cache(use_cache)
                            .strict(strict),
                        version = version, project = project_id, key = key,
                    );
                    let model_provider = model_provider.map(|it| provider(py, it)).transpose()?;
                    let request = match (model_provider, model_name) {
                        (Some(provider), Some(name)) => request.model(provider, name),
                        (Some(provider), None) => request.provider(provider),
                        (None, Some(_)) => {
                            let reason = "is needed beside model_name".to_owned();
                            return Err(invalid(py, "model_provider", reason));
                        }
                        (None, None) => request,
                    };
                    let request = match fallback {
                        Some(fallback) => request.fallback(self::fallback(py, fallback)?),
                        None => request,
                    };
                    let made = |py: Python<'_>, render: client::RenderResponse| -> PyResult<Object> {
                        Ok(Bound::new(py, RenderResponse(render.into()))?.into_any().unbind())
                    };
                    match request.at_once() {
                        Some(render) => {
                            let render = render.map_err(|error| raised(py, &error))?;
                            Self::at_once(py, made(py, render)?.into_bound(py))
                        }
                        None => Self::finish(py, request.into_future(), made),
                    }
                })
            }

            #[pyo3(signature = (module_id = None, skip = 0, limit = 100, sort_by = "created_at", sort_order = "desc", use_cache = true, project_id = None, *, query = None, tags = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn list_prompts(
                &self,
                py: Python<'_>,
                module_id: Option<&str>,
                skip: u64,
                limit: u64,
                sort_by: &str,
                sort_order: &str,
                use_cache: bool,
                project_id: Option<&str>,
                query: Option<&str>,
                tags: Option<Vec<String>>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.list_prompts().skip(skip).limit(limit).use_cache(use_cache)
                            .sort_by(word::<SortBy>(py, "sort_by", sort_by)?)
                            .sort_order(word::<SortOrder>(py, "sort_order", sort_order)?),
                        module = module_id, project = project_id, query = query, tags = tags,
                    );
                    Self::finish(py, request.into_future(), list_of!(PromptResponse))
                })
            }

            #[pyo3(signature = (prompt_data, project_id = None, *, idempotency_key = None))]
            fn create_prompt(
                &self,
                py: Python<'_>,
                prompt_data: &Bound<'_, PyAny>,
                project_id: Option<&str>,
                idempotency_key: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let new: NewPrompt = data(py, prompt_data)?;
                    let request = with!(
                        self.core()?.client(py)?.create_prompt(new),
                        project = project_id, idempotency_key = idempotency_key,
                    );
                    Self::finish(py, request.into_future(), prompt)
                })
            }

            #[pyo3(signature = (prompt_id, prompt_data, version = None, project_id = None, *, bump = None, message = None, force = false, idempotency_key = None))]
            #[expect(clippy::too_many_arguments, reason = "the document's, by name")]
            fn update_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                prompt_data: &Bound<'_, PyAny>,
                version: Option<&str>,
                project_id: Option<&str>,
                bump: Option<&str>,
                message: Option<&str>,
                force: bool,
                idempotency_key: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let update: PromptUpdate = data(py, prompt_data)?;
                    let bump = bump.map(|bump| word::<client::Bump>(py, "bump", bump)).transpose()?;
                    let request = with!(
                        self.core()?.client(py)?.update_prompt(prompt_id, update).force(force),
                        version = version, project = project_id, bump = bump, message = message,
                        idempotency_key = idempotency_key,
                    );
                    Self::finish(py, request.into_future(), prompt)
                })
            }

            #[pyo3(signature = (prompt_id, version = None, project_id = None, *, force = false))]
            fn delete_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                project_id: Option<&str>,
                force: bool,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.delete_prompt(prompt_id).force(force),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (prompt_id, version = None, project_id = None))]
            fn validate_prompt(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                version: Option<&str>,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.validate_prompt(prompt_id),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (prompt_id, model_provider, model_name, version = None, project_id = None))]
            fn get_model_compatibility(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                model_provider: &Bound<'_, PyAny>,
                model_name: &str,
                version: Option<&str>,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let provider = provider(py, model_provider)?;
                    let request = with!(
                        self.core()?.client(py)?.get_model_compatibility(prompt_id, provider, model_name),
                        version = version, project = project_id,
                    );
                    Self::finish(py, request.into_future(), flag)
                })
            }

            #[pyo3(signature = (provider = None, use_cache = true))]
            fn list_models(
                &self,
                py: Python<'_>,
                provider: Option<&Bound<'_, PyAny>>,
                use_cache: bool,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let provider = provider.map(|it| self::provider(py, it)).transpose()?;
                    let request = with!(
                        self.core()?.client(py)?.list_models().use_cache(use_cache),
                        provider = provider,
                    );
                    Self::finish(py, request.into_future(), list_of!(ModelInfo))
                })
            }

            fn get_stats(&self, py: Python<'_>) -> PyResult<ClientStats> {
                Ok(ClientStats(self.core()?.client(py)?.stats().into()))
            }

            fn get_cache_stats(&self, py: Python<'_>) -> PyResult<CacheStats> {
                Ok(CacheStats(self.core()?.client(py)?.cache_stats().into()))
            }

            #[pyo3(signature = (prompt_id = None, version = None))]
            fn clear_cache(
                &self,
                py: Python<'_>,
                prompt_id: Option<&str>,
                version: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    if prompt_id.is_none() && version.is_some() {
                        let reason = "is needed beside version".to_owned();
                        return Err(invalid(py, "prompt_id", reason));
                    }
                    let request = with!(
                        self.core()?.client(py)?.clear_cache(),
                        prompt = prompt_id, version = version,
                    );
                    Self::finish(py, request.into_future(), nothing)
                })
            }

            fn get_telemetry_summary(&self, py: Python<'_>) -> PyResult<TelemetrySummary> {
                Ok(TelemetrySummary(self.core()?.client(py)?.telemetry_summary().into()))
            }

            fn flush_telemetry(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.flush_telemetry().await }, nothing)
                })
            }

            fn disable_telemetry(&self, py: Python<'_>) -> PyResult<()> {
                self.core()?.client(py)?.disable_telemetry();
                Ok(())
            }

            #[pyo3(signature = (sample_rate = 0.1))]
            fn enable_telemetry(&self, py: Python<'_>, sample_rate: f64) -> PyResult<()> {
                if !(0.0..=1.0).contains(&sample_rate) {
                    return Err(invalid(py, "sample_rate", "must be 0.0 to 1.0".to_owned()));
                }
                self.core()?.client(py)?.enable_telemetry(sample_rate);
                Ok(())
            }

            fn update_config(&self, py: Python<'_>, config: &Bound<'_, PyAny>) -> PyResult<()> {
                let rust = self.core()?.client(py)?;
                let patch = config::patch(py, &rust.config(), config)?;
                rust.update_config(&patch).map_err(|error| raised(py, &error))
            }

            fn get_config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
                config::to_python(py, &self.core()?.client(py)?.config())
            }

            fn health_check(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    let made = |py: Python<'_>, health: client::HealthStatus| -> PyResult<Object> {
                        Ok(Bound::new(py, HealthStatus(health.into()))?.into_any().unbind())
                    };
                    Self::finish(py, async move { rust.health_check().await }, made)
                })
            }

            fn initialize(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.initialize().await }, nothing)
                })
            }

            fn shutdown(&self, py: Python<'_>) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let rust = self.core()?.client(py)?;
                    Self::finish(py, async move { rust.shutdown().await }, nothing)
                })
            }

            /// Points a label at a version.
            #[pyo3(signature = (prompt_id, label, version, project_id = None))]
            fn set_label(
                &self,
                py: Python<'_>,
                prompt_id: &str,
                label: &str,
                version: &str,
                project_id: Option<&str>,
            ) -> PyResult<Object> {
                Self::coroutine(py, || {
                    let request = with!(
                        self.core()?.client(py)?.set_label(prompt_id, label, version),
                        project = project_id,
                    );
                    Self::finish(py, request.into_future(), |py, _| Ok(py.None()))
                })
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let rust = self.core()?.client(py)?;
                Ok(format!("PromptOpsClient(base_url='{}')", rust.config().base_url))
            }

            $($more)*
        }
    };
}
pub(super) use methods;
