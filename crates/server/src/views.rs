//! All sites as one worker sees them.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::sites::{Sites, host_name};
use crate::view::View;

/// A worker's views of the sites.
pub struct Views {
    sites: Arc<Sites>,
    number: Cell<u64>,
    default: RefCell<Option<Rc<View>>>,
    by_host: RefCell<HashMap<Box<str>, Rc<View>>>,
}

impl Views {
    /// The sites of now.
    pub fn new(sites: Arc<Sites>) -> Self {
        let views = Self {
            number: Cell::new(sites.bell().number()),
            sites,
            default: RefCell::default(),
            by_host: RefCell::default(),
        };
        views.look();
        views
    }

    /// The sites themselves.
    pub fn sites(&self) -> &Sites {
        &self.sites
    }

    /// Notice what has changed, and let go of what is no longer served.
    pub fn refresh(&self) {
        let number = self.sites.bell().number();
        if self.number.replace(number) != number {
            self.look();
        }
    }

    fn look(&self) {
        let table = self.sites.table();
        let mut default = self.default.borrow_mut();
        let before = default.take();
        *default = table.default.as_ref().map(|site| match before {
            Some(view) if Arc::ptr_eq(view.site(), site) => view,
            _ => Rc::new(View::new(Arc::clone(site))),
        });
        let mut by_host = self.by_host.borrow_mut();
        let mut before = std::mem::take(&mut *by_host);
        for (host, site) in &table.by_host {
            let view = match before.remove(host) {
                Some(view) if Arc::ptr_eq(view.site(), site) => view,
                _ => Rc::new(View::new(Arc::clone(site))),
            };
            by_host.insert(host.clone(), view);
        }
        default.iter().chain(by_host.values()).for_each(|view| view.refresh());
    }

    /// The view of the site that answers for a host, as a request names it.
    pub fn find(&self, host: &[u8]) -> Option<Rc<View>> {
        let by_host = self.by_host.borrow();
        if !by_host.is_empty()
            && let Some(view) = host_name(host, &mut [0; 255]).and_then(|name| by_host.get(name))
        {
            return Some(Rc::clone(view));
        }
        self.default.borrow().clone()
    }
}
