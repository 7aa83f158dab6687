//! What a proto file says of its calls: which there are, and which of them stream.

use protox::prost_reflect::{DescriptorPool, MethodDescriptor};

use crate::requests::Proto;

/// The calls of a proto file and of what it imports.
#[derive(Clone, Debug)]
pub struct Described {
    pool: DescriptorPool,
    /// The file's own services; those of its imports are not meant.
    file: String,
}

impl Described {
    /// Reads the file and its imports.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn read(proto: &Proto) -> Result<Self, String> {
        let files = protox::compile([&proto.file], &proto.include)
            .map_err(|error| format!("does not compile: {}", said(&error)))?;
        let pool = DescriptorPool::from_file_descriptor_set(files)
            .map_err(|error| format!("does not compile: {error}"))?;
        Ok(Self {
            pool,
            file: proto.file.clone(),
        })
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's calls, as `package.Service/Method`.
    #[must_use]
    pub fn calls(&self) -> Vec<(String, MethodDescriptor)> {
        let services = self.pool.services();
        let own = services.filter(|service| service.parent_file().name() == self.file);
        own.flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            let name =
                |method: &MethodDescriptor| format!("{}/{}", service.full_name(), method.name());
            methods
                .into_iter()
                .map(|method| (name(&method), method))
                .collect::<Vec<_>>()
        })
        .collect()
    }

    /// The call of that name, from the file or what it imports.
    #[must_use]
    pub fn call(&self, name: &str) -> Option<MethodDescriptor> {
        let (service, method) = name.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        service.methods().find(|one| one.name() == method)
    }
}

/// The message of the compiler with its causes, on one line.
fn said(error: &protox::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text.replace('\n', " ")
}
