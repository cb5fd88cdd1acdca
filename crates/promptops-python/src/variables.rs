use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::data::{Object, flag};

/// Variables for a render: values by name.
#[pyclass(module = "promptops", mapping)]
pub(crate) struct PromptVariables(Py<PyDict>);

impl PromptVariables {
    pub(crate) fn dict<'py>(&self, py: Python<'py>) -> Bound<'py, PyDict> {
        self.0.bind(py).clone()
    }
}

#[pymethods]
impl PromptVariables {
    #[new]
    fn new(py: Python<'_>, variables: &Bound<'_, PyAny>) -> PyResult<Self> {
        let dict = PyDict::new(py);
        dict.call_method1("update", (variables,))?;
        Ok(Self(dict.unbind()))
    }

    /// Sets a variable.
    fn add_variable(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.bind(py).set_item(name, value)
    }

    /// The value of a variable; None where there is none.
    fn get_variable<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.0.bind(py).get_item(name)?;
        Ok(value.unwrap_or_else(|| py.None().into_bound(py)))
    }

    /// Whether there is a variable.
    fn has_variable(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.0.bind(py).contains(name)
    }

    /// A copy of the variables.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.bind(py).copy()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.0.bind(py).get_item(name)?;
        value.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __setitem__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.bind(py).set_item(name, value)
    }

    fn __contains__(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.0.bind(py).contains(name)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.0.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.bind(py).call_method0("__iter__")
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.bind(py).call_method0("keys")
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("PromptVariables({})", self.0.bind(py).repr()?))
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Object> {
        match other.cast::<Self>() {
            Ok(other) => flag(py, self.0.bind(py).eq(other.borrow().0.bind(py))?),
            Err(_) => Ok(py.NotImplemented()),
        }
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>,))> {
        let dict = slf.borrow().to_dict(slf.py())?;
        Ok((slf.get_type().into_any(), (dict,)))
    }
}
