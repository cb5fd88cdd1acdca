//! An awaitable that is complete already: what a hit of the cache gives. It has the slot `am_send`, by
//! which the interpreter takes its value without an iterator, a task or an exception.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The object, as C has it. The value is taken by whoever awaits it.
#[repr(C)]
struct Ready {
    head: ffi::PyObject,
    value: *mut ffi::PyObject,
}

/// The memory of one that is no more, for the next: most hits are awaited and gone before another comes.
static KEPT: AtomicPtr<ffi::PyObject> = AtomicPtr::new(ptr::null_mut());

/// An awaitable that gives `value` at once.
#[expect(unsafe_code, reason = "PyO3 has no classes with `am_send`")]
pub(crate) fn ready<'py>(py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let class = class(py)?.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: `class` is the type made below, whose instances are `Ready`s; the allocation is checked
    // before it is written to. `PyType_GenericAlloc` gives a new reference, and zeroes; what was kept
    // by `dealloc` is memory of the same size that nobody else has, and `PyObject_Init` makes an object
    // of it, with a reference to its type.
    unsafe {
        let kept = KEPT.swap(ptr::null_mut(), AcqRel);
        let object = if kept.is_null() {
            ffi::PyType_GenericAlloc(class, 0)
        } else {
            ffi::PyObject_Init(kept, class)
        };
        if object.is_null() {
            return Err(PyErr::fetch(py));
        }
        (*object.cast::<Ready>()).value = value.into_ptr();
        Ok(Bound::from_owned_ptr(py, object))
    }
}

/// Takes the value; null with an exception if it was taken before.
#[expect(unsafe_code, reason = "called by the slots below")]
unsafe fn take(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the slots are called with instances of their type, and with the interpreter attached.
    unsafe {
        let value =
            ptr::replace(ptr::addr_of_mut!((*object.cast::<Ready>()).value), ptr::null_mut());
        if value.is_null() {
            let py = Python::assume_attached();
            PyRuntimeError::new_err("cannot reuse already awaited coroutine").restore(py);
        }
        value
    }
}

#[expect(unsafe_code, reason = "a slot")]
unsafe extern "C" fn send(
    object: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    // SAFETY: as `take`; `result` is the interpreter's, and takes over the reference.
    unsafe {
        let value = take(object);
        *result = value;
        if value.is_null() {
            ffi::PySendResult::PYGEN_ERROR
        } else {
            ffi::PySendResult::PYGEN_RETURN
        }
    }
}

/// The same for who has no `am_send`: the value is in a `StopIteration`.
#[expect(unsafe_code, reason = "a slot")]
unsafe extern "C" fn next(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: as `take`; the reference to the value goes into the exception, which holds its own.
    unsafe {
        let value = take(object);
        if !value.is_null() {
            let py = Python::assume_attached();
            let value = Bound::from_owned_ptr(py, value);
            stop_iteration(py, value).restore(py);
        }
        ptr::null_mut()
    }
}

/// The end of an iteration with a value, which may be a tuple or an exception itself.
fn stop_iteration(py: Python<'_>, value: Bound<'_, PyAny>) -> PyErr {
    let class = py.get_type::<pyo3::exceptions::PyStopIteration>();
    match class.call1((value,)) {
        Ok(stop) => PyErr::from_value(stop),
        Err(error) => error,
    }
}

#[expect(unsafe_code, reason = "a slot")]
unsafe extern "C" fn own_iterator(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: `object` is alive while it is called.
    unsafe { ffi::Py_NewRef(object) }
}

#[expect(unsafe_code, reason = "a method")]
unsafe extern "C" fn send_method(
    object: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as the slot.
    unsafe { next(object) }
}

/// `throw(type, value, traceback)` and `throw(value)`: whatever is thrown comes out.
#[expect(unsafe_code, reason = "a method")]
unsafe extern "C" fn throw_method(
    object: *mut ffi::PyObject,
    arguments: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `arguments` is the tuple of the call, alive while it is called.
    unsafe {
        let py = Python::assume_attached();
        drop_value(object);
        let arguments = Bound::from_borrowed_ptr(py, arguments);
        match crate::call::thrown(&arguments) {
            Ok(error) | Err(error) => error.restore(py),
        }
        ptr::null_mut()
    }
}

#[expect(unsafe_code, reason = "a method")]
unsafe extern "C" fn close_method(
    object: *mut ffi::PyObject,
    _: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as `take`.
    unsafe {
        drop_value(object);
        ffi::Py_NewRef(ffi::Py_None())
    }
}

#[expect(unsafe_code, reason = "called by the methods and the deallocator")]
unsafe fn drop_value(object: *mut ffi::PyObject) {
    // SAFETY: as `take`; the reference is this object's own.
    unsafe {
        let value =
            ptr::replace(ptr::addr_of_mut!((*object.cast::<Ready>()).value), ptr::null_mut());
        ffi::Py_XDECREF(value);
    }
}

#[expect(unsafe_code, reason = "a slot")]
unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: nobody refers to it any more; an instance of a heap type holds its type.
    unsafe {
        drop_value(object);
        let class = ffi::Py_TYPE(object);
        let is_kept = KEPT.compare_exchange(ptr::null_mut(), object, AcqRel, Acquire);
        if is_kept.is_err() {
            ffi::PyObject_Free(object.cast::<c_void>());
        }
        ffi::Py_DECREF(class.cast::<ffi::PyObject>());
    }
}

fn class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Ok(CLASS.get_or_try_init(py, || make_class(py))?.bind(py))
}

#[expect(unsafe_code, reason = "PyO3 has no classes with `am_send`")]
fn make_class(py: Python<'_>) -> PyResult<Py<PyType>> {
    fn slot(number: c_int, function: *mut c_void) -> ffi::PyType_Slot {
        ffi::PyType_Slot { slot: number, pfunc: function }
    }
    let method = |name: &'static std::ffi::CStr, function: ffi::PyCFunction, flags: c_int| {
        ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: function },
            ml_flags: flags,
            ml_doc: ptr::null(),
        }
    };
    // The type refers to the table of methods as long as it lives.
    let methods = Box::leak(Box::new([
        method(c"send", send_method, ffi::METH_O),
        method(c"throw", throw_method, ffi::METH_VARARGS),
        method(c"close", close_method, ffi::METH_NOARGS),
        // SAFETY: the end of the table is an entry of zeroes.
        unsafe { std::mem::zeroed::<ffi::PyMethodDef>() },
    ]));
    let mut slots = [
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(ffi::Py_tp_iter, own_iterator as *mut c_void),
        slot(ffi::Py_tp_iternext, next as *mut c_void),
        slot(ffi::Py_am_await, own_iterator as *mut c_void),
        slot(ffi::Py_am_send, send as *mut c_void),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(0, ptr::null_mut()),
    ];
    let size = c_int::try_from(size_of::<Ready>()).unwrap_or_default();
    let mut spec = ffi::PyType_Spec {
        name: c"promptops.Ready".as_ptr(),
        basicsize: size,
        itemsize: 0,
        flags: u32::try_from(ffi::Py_TPFLAGS_DEFAULT).unwrap_or_default(),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the slots and the specification are read while the type is made; each function has the
    // signature of its slot.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec))? };
    Ok(class.cast_into::<PyType>()?.unbind())
}
